"""Bills as PDFs in one ZIP, made while it is sent: one PDF at a time in memory, the first leaves at once.

Owns the stream. Never chooses the bills: at most MOST at once, which the caller keeps.
"""

import io
import zipfile
from collections.abc import Iterable, Iterator

from tayyar.billing.pdf_cache import bill_pdf
from tayyar.billing.queries import bill_by_number

MOST = 13
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bills give the same file


class _Outlet(io.RawIOBase):
    """A file that can only be written; what was written is taken away in pieces."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        return len(piece)

    def take(self) -> bytes:
        """Everything since the last time."""
        piece, self._pieces = b"".join(self._pieces), []
        return piece


def zip_of_bills(numbers: Iterable[int], lang: str) -> Iterator[bytes]:
    """The ZIP file in pieces, a bill at a time: bill-<number>.pdf each. PDFs are compressed already, so stored."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:
        for number in numbers:
            entry = zipfile.ZipInfo(f"bill-{number:015d}.pdf", date_time=_EPOCH)
            archive.writestr(entry, bill_pdf(bill_by_number(number=number), lang))
            yield outlet.take()
    yield outlet.take()
