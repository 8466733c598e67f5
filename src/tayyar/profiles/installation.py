"""Which country this installation serves, with the utility's answers to its profile's open questions."""

import functools
import os
import time
from pathlib import Path

from tayyar.core.errors import UserError
from tayyar.core.models import Setting
from tayyar.core.paths import data_dir
from tayyar.profiles import Profile, answers_file, load, read_answers

_REMEMBERED_NS = 10_000_000_000


class _Memory:
    """The chosen code, in a process that asks for it many times a second and whose database is always the same."""

    def __init__(self) -> None:
        self.is_on, self.code, self.until_ns = False, "", 0


_memory = _Memory()


def remember_choice() -> None:
    """From now on this process asks the database for the chosen profile once in ten seconds. For web servers."""
    _memory.is_on, _memory.until_ns = True, 0


def installed_profile() -> Profile:
    """The profile of this installation; UserError when none was chosen yet."""
    if _memory.is_on and time.monotonic_ns() < _memory.until_ns:
        return load_answered(_memory.code)
    setting = Setting.objects.filter(key="PROFILE").first()
    if setting is None:
        raise UserError(
            "No profile is chosen yet. Start with `tayyar demo`, or `tayyar generate --profile sa`."
        )
    _memory.code, _memory.until_ns = setting.value, time.monotonic_ns() + _REMEMBERED_NS
    return load_answered(setting.value)


def load_answered(code: str) -> Profile:
    """A profile with the answers in the data folder's profile-<code>.yaml."""
    path = answers_file(data_dir(), code)
    return _answered(
        code, path, path.stat().st_mtime_ns if path.exists() else 0, os.environ.get("TAYYAR_PROFILES")
    )


@functools.lru_cache(maxsize=8)
def _answered(code: str, path: Path, changed: int, folders: str | None) -> Profile:
    """Read once for each state of the answers' file."""
    return load(code, read_answers(path))


def choose_profile(code: str) -> Profile:
    """Make `code` this installation's profile. One database serves one profile, for good."""
    profile = load_answered(code)
    setting, created = Setting.objects.get_or_create(key="PROFILE", defaults={"value": profile.code})
    if not created and setting.value != profile.code:
        raise UserError(
            f"This database serves profile {setting.value!r} already. "
            f"Name another data folder in TAYYAR_DATA for {profile.code!r}."
        )
    return profile
