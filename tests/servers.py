"""Throw-away PostgreSQL and Redis instances on free private ports, for the suite and for tests that break them."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import psycopg2.sql

import supervisor


def program(name: str) -> str | None:
    """Return where a program is: on the path, or where Debian keeps PostgreSQL's."""
    if found := shutil.which(name):
        return found
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    return str(debian[-1]) if debian else None


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def _unprivileged() -> dict[str, object]:
    """Return how a child runs as somebody else when this process is root: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            somebody = pwd.getpwnam(name)
            return {"user": somebody.pw_uid, "group": somebody.pw_gid, "extra_groups": []}
    return {}


class Postgres:
    """A PostgreSQL of one's own in a folder of its own: it can be stopped as a crash stops it, and started again."""

    def __init__(self, folder: Path, *, keeps: bool) -> None:
        self.folder, self.somebody, self.port = folder, _unprivileged(), free_port()
        self.password = secrets.token_hex(16)
        self.url = f"postgres://baton:{self.password}@127.0.0.1:{self.port}/baton"
        # What was committed must survive the server's end, though not the machine's, where that is tried.
        self.lazy = ["fsync", "full_page_writes", *([] if keeps else ["synchronous_commit"])]
        self.process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make the cluster, start it, and make a database owned by an ordinary role that may make others."""
        initdb = program("initdb")
        assert initdb, "PostgreSQL is not installed"
        (self.folder / "password").write_text(self.password)
        for path in (self.folder, self.folder / "password"):
            if self.somebody:
                os.chown(path, int(str(self.somebody["user"])), int(str(self.somebody["group"])))
        make = [initdb, "-D", str(self.folder / "data"), "-U", "keeper", "--pwfile", str(self.folder / "password")]
        make += ["-N", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(make, cwd=self.folder, check=True, capture_output=True, **self.somebody)  # type: ignore[call-overload]
        self.start()
        with contextlib.closing(psycopg2.connect(self.keeper)) as keeper:
            keeper.autocommit = True
            with keeper.cursor() as cursor:
                cursor.execute("CREATE ROLE baton LOGIN NOSUPERUSER NOBYPASSRLS CREATEDB PASSWORD %s", [self.password])
                cursor.execute("CREATE DATABASE baton OWNER baton")
                # Who drops a database that is being vacuumed must be allowed to end that.
                cursor.execute("GRANT pg_signal_backend TO baton")

    @property
    def keeper(self) -> str:
        """The address for the superuser."""
        return f"postgres://keeper:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        server = program("postgres")
        assert server, "PostgreSQL is not installed"
        command = [server, "-D", str(self.folder / "data"), "-p", str(self.port), "-k", "", "-h", "127.0.0.1"]
        for option in (*(f"{name}=off" for name in self.lazy), "max_connections=300"):
            command += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # type: ignore[call-overload]
                command,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=supervisor.end_with_parent,
                **self.somebody,
            )
        _connect(self.keeper, self.process, self.folder / "log").close()

    def stop(self, *, at_once: bool = False) -> None:
        """Stop without waiting for clients to leave; `at_once` as a crash does, with all that was under way."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
            _end(self.process)
            self.process = None


@contextlib.contextmanager
def own_postgres(*, keeps: bool = True) -> Iterator[Postgres]:
    """Start an empty PostgreSQL to be broken."""
    made = Postgres(Path(tempfile.mkdtemp(prefix="baton-postgres-")), keeps=keeps)
    try:
        made.make()
        yield made
    finally:
        made.stop()
        shutil.rmtree(made.folder, ignore_errors=True)


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Start an empty PostgreSQL and yield the URL of its database."""
    with own_postgres(keeps=False) as made:
        yield made.url


def _connect(url: str, process: "subprocess.Popen[bytes]", log: Path) -> "psycopg2.extensions.connection":
    until = time.monotonic() + 30
    while True:
        try:
            return psycopg2.connect(url)
        except psycopg2.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.1)


@contextlib.contextmanager
def redis(port: int = 0) -> Iterator[str]:
    """Start an empty Redis that keeps nothing on disk, and yield its URL."""
    server = program("redis-server")
    assert server, "Redis is not installed"
    port = port or free_port()
    folder = tempfile.mkdtemp(prefix="baton-redis-")
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(
        [*command, "--dir", folder],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=supervisor.end_with_parent,
    )
    try:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("Redis did not start") from None
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        supervisor.signal_group(process.pid, signal.SIGKILL)
        process.wait()
