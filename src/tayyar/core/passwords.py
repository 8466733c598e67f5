"""Passwords: Argon2, and a bound on how many are computed at once, so that a storm of logins slows nothing else.

Owns the hashers that settings name. Never decides who may sign in. Next: identity/sign_in.py asks; beyond the bound
PasswordsBusy becomes a page that says so (config/middleware.py).
"""

import contextlib
import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher

from tayyar.core.errors import UserError

AT_ONCE = 2  # in one process
WAITING = 1  # beyond those; a web process has four threads, so one always answers something else
NICENESS = 10
RETRY_SECONDS = 3
Result = TypeVar("Result")


class PasswordsBusy(UserError):
    """Too many passwords are being checked in this process; nothing was checked."""


def in_line(compute: Callable[[], Result]) -> Result:
    """What `compute` returns, once it is its turn; PasswordsBusy when too many wait already."""
    return _line(os.getpid()).run(compute)


class _Line:
    """The threads of one process that compute passwords, and how many callers may stand before them."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(AT_ONCE + WAITING)
        self._threads = ThreadPoolExecutor(AT_ONCE, "passwords", initializer=_step_back)

    def run(self, compute: Callable[[], Result]) -> Result:
        """What `compute` returns; PasswordsBusy when the line is full."""
        if not self._places.acquire(blocking=False):
            raise PasswordsBusy("Many people are signing in just now. Try again in a moment.")
        try:
            return self._threads.submit(compute).result()
        finally:
            self._places.release()


def _step_back() -> None:
    """Let the threads that answer pages go first: on Linux a thread has a priority of its own, elsewhere none."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


@functools.lru_cache(maxsize=1)
def _line(process: int) -> _Line:
    """One line in each process: threads do not survive a fork."""
    return _Line()


class Argon2(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet, 2025)."""

    time_cost, memory_cost, parallelism = 2, 19_456, 1

    def encode(self, password: str, salt: str) -> str:
        """The hash to store; PasswordsBusy."""
        return in_line(lambda: super(Argon2, self).encode(password, salt))

    def verify(self, password: str, encoded: str) -> bool:
        """Whether it is this password; PasswordsBusy."""
        return in_line(lambda: super(Argon2, self).verify(password, encoded))


class OldPBKDF2(PBKDF2PasswordHasher):
    """Opens the passwords that staff set before Argon2; each is hashed anew at its next login."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """The hash to compare with (`verify` asks for it here); PasswordsBusy."""
        return in_line(lambda: super(OldPBKDF2, self).encode(password, salt, iterations))
