"""Files that a command was asked to write. Owns the words for a place that cannot be written; never chooses a name."""

from pathlib import Path

from tayyar.core.errors import UserError


def write_file(path: Path, content: bytes) -> None:
    """Write `content` to `path` and say so. UserError when the place cannot be written."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}. Name a file in a folder that exists and is yours to write."
        ) from None
    print(f"Written to {path}")
