"""Files written for a command."""

from pathlib import Path

import pytest

from tayyar.config.output import write_file
from tayyar.core.errors import UserError


def test_a_file_is_written_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_file(tmp_path / "bill.pdf", b"%PDF")
    assert (tmp_path / "bill.pdf").read_bytes() == b"%PDF"
    assert capsys.readouterr().out == f"Written to {tmp_path / 'bill.pdf'}\n"


def test_a_folder_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"absent/bill\.pdf cannot be written: No such file or directory\. Name"
    ):
        write_file(tmp_path / "absent" / "bill.pdf", b"%PDF")
