"""The short fault run of `make test`: 25 kills under a fixed seed, in processes of its own; `make faults` is longer."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.fault
def test_after_25_kills_the_books_are_those_of_an_undisturbed_run() -> None:
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "tests.faults.run",
                "--kills",
                "25",
                "--seed",
                "2611",
                "--accounts",
                "900",
            ),
            *("--delivery-kills", "0"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "25 kills in" in done.stdout
    assert "kinds of damage are noticed" in done.stdout
