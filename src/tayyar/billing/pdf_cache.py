"""Bills as PDF, made once and kept on disk: `cache/pdf/<key>.pdf` in the data folder.

Owns the folder; it may be emptied at any time. Never holds a bill in another form than the renderer made it, as the
key covers everything that decides the bytes. Next: the portal and `tayyar bill pdf` send what this returns.
"""

import os
import tempfile
import time
from pathlib import Path

from tayyar.billing.documents.pdf import cache_key, render_pdf
from tayyar.billing.documents.view import BillView
from tayyar.core.paths import data_dir

KEEP_SECONDS = 30 * 86_400


def bill_pdf(view: BillView, lang: str) -> bytes:
    """The PDF of a bill in `lang`, from the cache where it lies there. Bytes of one PDF/A-3a file."""
    key = cache_key(view, lang)
    folder = data_dir() / "cache" / "pdf"
    path = folder / f"{key}.pdf"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        data = render_pdf(view, lang)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(path, data)
    if key.startswith("00"):  # one new file in 256 sweeps the old ones out
        _sweep(folder)
    return data


def _write(path: Path, data: bytes) -> None:
    """All or nothing: a reader never sees half a file, and two writers put the same bytes there."""
    descriptor, partial = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(data)
    Path(partial).replace(path)


def _sweep(folder: Path) -> None:
    limit = time.time() - KEEP_SECONDS
    for file in folder.iterdir():
        try:
            if file.stat().st_mtime < limit:
                file.unlink()
        except FileNotFoundError:  # another process swept it
            continue
