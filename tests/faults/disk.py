"""Full disks, on small file systems in memory: the one that bills are written to, and the one of the log (WAL).

The first makes single statements fail; the second makes PostgreSQL stop altogether until there is room again.
Both need the right to mount; without it they are left out, and the summary says so.
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from tests.faults import invariants
from tests.faults.disturbed import Reference, compare
from tests.faults.ground import Ground

from tayyar.core import postgres

NO_SPACE = (
    "No space left on device",
    "Check free disk space",
)  # PostgreSQL's words, when a write fails or falls short


class NotPermitted(Exception):
    """This machine does not let us mount a file system."""


@contextlib.contextmanager
def small_disk(ground: Ground, *, megabytes: int) -> Iterator[Path]:
    """A file system of its own, with a folder in it that belongs to the database's OS user."""
    if os.geteuid() != 0:
        raise NotPermitted("mounting a small file system needs root")
    mount = ground.folder / "disk"
    mount.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "none", str(mount)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotPermitted(done.stderr.strip())
    try:
        space = mount / "space"
        space.mkdir(mode=0o700)
        shutil.chown(space, postgres.OWNER, postgres.OWNER)
        yield space
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=False)


def fill(space: Path, *, leave_bytes: int) -> Path:
    """A file that leaves so much room and no more."""
    filler, status = space.parent / "filler", os.statvfs(space)
    with filler.open("wb") as handle:
        os.posix_fallocate(handle.fileno(), 0, max(1, status.f_bavail * status.f_frsize - leave_bytes))
    return filler


def full_tablespace(ground: Ground, reference: Reference, *, leave_bytes: int) -> list[str]:
    """The disk of the tables fills up during the run: a clear error, nothing half written; with room it ends well."""
    with small_disk(ground, megabytes=96) as space:
        ground.sql(f"CREATE TABLESPACE small LOCATION '{space}'")
        try:
            while True:
                ground.reset(options="TABLESPACE small")
                filler = fill(space, leave_bytes=leave_bytes)
                process = ground.bill()
                code, said = process.wait(timeout=240), ground.said(process)[1]
                filler.unlink()
                if code or leave_bytes < 10_000:
                    break
                leave_bytes //= (
                    2  # PostgreSQL had pages in stock: the disk was not full before the run was done
                )
            found = []
            if code != 2 or not any(words in said for words in NO_SPACE) or "Traceback" in said:
                found.append(f"a full disk is not told clearly: exit {code}\n{said[-1500:]}")
            with ground.connect() as connection:
                found += invariants.half_written(connection, period=reference.period)
            return found + _goes_on(ground, reference)
        finally:
            ground.end_operators()
            ground.operators.clear()
            ground.reset()
            ground.sql("DROP TABLESPACE small")


def full_log(ground: Ground, reference: Reference) -> list[str]:
    """The disk of the log fills up: PostgreSQL stops and cannot start. Room, a start, and the run ends by itself or
    with the command again."""
    log = postgres.cluster_dir() / "pg_wal"
    with small_disk(ground, megabytes=320) as space:
        ground.reset()
        postgres.stop()
        shutil.copytree(log, space / "pg_wal", dirs_exist_ok=True)
        subprocess.run(["chown", "-R", postgres.OWNER, str(space)], check=True)
        log.rename(log.with_name("pg_wal.aside"))
        log.symlink_to(space / "pg_wal")
        try:
            ground.start_server()
            process = ground.bill()
            _wait_for_work(ground, reference)
            filler = fill(space, leave_bytes=1 << 20)
            found = [] if _until_it_stops(ground) else ["the log's disk is full and PostgreSQL still runs"]
            time.sleep(0.5)
            filler.unlink()
            ground.start_server()
            process.wait(timeout=240)
            return found + _goes_on(ground, reference)
        finally:
            ground.end_operators()
            ground.operators.clear()
            postgres.stop()
            log.unlink()
            shutil.rmtree(log.with_name("pg_wal.aside"))
            subprocess.run(["cp", "-a", str(space / "pg_wal"), str(log)], check=True)
            ground.start_server()


def _wait_for_work(ground: Ground, reference: Reference) -> None:
    deadline = time.monotonic() + 60
    with ground.connect() as connection:
        while time.monotonic() < deadline:
            if connection.execute(
                "SELECT 1 FROM billing_bill WHERE period = %s", [reference.period]
            ).fetchone():
                return
            time.sleep(0.01)
    raise TimeoutError("the run writes no bill")


def _until_it_stops(ground: Ground) -> bool:
    """Use up the segments that the server has in stock, while the run works; True when the server went down."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with ground.connect("postgres") as connection:
                connection.execute("SELECT pg_logical_emit_message(true, 'faults', repeat('x', 4000000))")
        except psycopg.OperationalError:
            if not postgres.is_running():
                return True
        time.sleep(0.02)
    return False


def _goes_on(ground: Ground, reference: Reference) -> list[str]:
    process = ground.bill()
    if code := process.wait(timeout=240):
        return [
            f"with room on the disk the command still ends with {code}:\n{ground.said(process)[1][-1500:]}"
        ]
    with ground.connect() as connection:
        return compare(connection, reference)
