"""Where Tayyar keeps its files: one data folder, named by TAYYAR_DATA.

As root the default is /var/lib/tayyar, which the embedded database's own OS user can reach;
otherwise it lies in the user's home, as the XDG base directory specification says.
"""

import os
from pathlib import Path


def data_dir() -> Path:
    """The data folder, created when missing."""
    named = os.environ.get("TAYYAR_DATA")
    if named:
        path = Path(named).expanduser().resolve()
    elif os.geteuid() == 0:
        path = Path("/var/lib/tayyar")
    else:
        share = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
        path = Path(share) / "tayyar"
    path.mkdir(parents=True, exist_ok=True)
    return path
