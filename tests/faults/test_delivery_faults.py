"""The short delivery fault run of `make test`: a few kills under a fixed seed; `make faults` is longer."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.fault
def test_after_six_kills_nothing_is_lost_and_no_duplicate_is_uncounted() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.faults.delivery",
            "--kills",
            "6",
            "--seed",
            "2612",
            "--accounts",
            "120",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 kills in 1 rounds" in done.stdout
    assert "kinds of damage are noticed" in done.stdout
    figures = re.search(r"duplicates counted (\d+), real duplicates (\d+);.*differences 0", done.stdout)
    assert figures and int(figures[2]) <= int(figures[1])
