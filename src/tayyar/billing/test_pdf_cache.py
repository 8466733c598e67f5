"""A bill's PDF is made once, kept whole, and swept out when nobody asked for long."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tayyar.billing import pdf_cache

VIEW: Any = object()  # the renderer, which would read it, is replaced


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was rendered; each language has a key of its own."""
    rendered: list[str] = []

    def render(view: object, lang: str) -> bytes:
        rendered.append(lang)
        return f"%PDF {lang}".encode()

    monkeypatch.setenv("TAYYAR_DATA", str(tmp_path))
    monkeypatch.setattr(pdf_cache, "cache_key", lambda view, lang: f"00{lang}")
    monkeypatch.setattr(pdf_cache, "render_pdf", render)
    return rendered


def test_a_second_request_is_answered_from_the_disk(made: list[str], tmp_path: Path) -> None:
    answers = [pdf_cache.bill_pdf(VIEW, lang) for lang in ("ar", "ar", "en", "ar")]
    assert answers == [b"%PDF ar", b"%PDF ar", b"%PDF en", b"%PDF ar"]
    assert made == ["ar", "en"]
    assert sorted(file.name for file in (tmp_path / "cache/pdf").iterdir()) == ["00ar.pdf", "00en.pdf"]


def test_only_the_owner_can_read_what_is_kept(made: list[str], tmp_path: Path) -> None:
    pdf_cache.bill_pdf(VIEW, "ar")
    assert (tmp_path / "cache/pdf").stat().st_mode & 0o077 == 0
    assert (tmp_path / "cache/pdf/00ar.pdf").stat().st_mode & 0o077 == 0


def test_what_is_older_than_a_month_is_swept_out(made: list[str], tmp_path: Path) -> None:
    pdf_cache.bill_pdf(VIEW, "ar")
    old = time.time() - pdf_cache.KEEP_SECONDS - 1
    os.utime(tmp_path / "cache/pdf/00ar.pdf", (old, old))
    pdf_cache.bill_pdf(VIEW, "en")
    assert [file.name for file in (tmp_path / "cache/pdf").iterdir()] == ["00en.pdf"]
