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


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Start an empty PostgreSQL and yield the URL of a database owned by an ordinary role that may make others."""
    initdb, server = program("initdb"), program("postgres")
    assert initdb, "PostgreSQL is not installed"
    assert server, "PostgreSQL is not installed"
    somebody = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="baton-postgres-"))
    password, port = secrets.token_hex(16), free_port()
    process = None
    try:
        (folder / "password").write_text(password)
        for path in (folder, folder / "password"):
            if somebody:
                os.chown(path, int(str(somebody["user"])), int(str(somebody["group"])))
        make = [initdb, "-D", str(folder / "data"), "-U", "keeper", "--pwfile", str(folder / "password"), "-N"]
        make += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(make, cwd=folder, check=True, capture_output=True, **somebody)  # type: ignore[call-overload]
        command = [server, "-D", str(folder / "data"), "-p", str(port), "-k", "", "-h", "127.0.0.1"]
        for option in ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"):
            command += ["-c", option]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(  # type: ignore[call-overload]
                command,
                cwd=folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=supervisor.end_with_parent,
                **somebody,
            )
        keeper = _connect(f"postgres://keeper:{password}@127.0.0.1:{port}/postgres", process, folder / "log")
        with contextlib.closing(keeper):
            keeper.autocommit = True
            with keeper.cursor() as cursor:
                cursor.execute("CREATE ROLE baton LOGIN NOSUPERUSER NOBYPASSRLS CREATEDB PASSWORD %s", [password])
                cursor.execute("CREATE DATABASE baton OWNER baton")
                # Who drops a database that is being vacuumed must be allowed to end that.
                cursor.execute("GRANT pg_signal_backend TO baton")
        yield f"postgres://baton:{password}@127.0.0.1:{port}/baton"
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)  # "fast": does not wait for clients to leave
            _end(process)
        shutil.rmtree(folder, ignore_errors=True)


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
