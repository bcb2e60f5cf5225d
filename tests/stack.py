"""The whole application as it runs: web, worker and beat as processes of their own, on a database of their own."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psycopg2

import supervisor
from tests.servers import Postgres, free_port

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "a-long-enough-word"
BUSINESS = "business.json"


def until(question: Callable[[], Any], seconds: float, every: float = 0.2) -> Any:
    """Ask until the answer is true, and give it; the last answer after so many seconds."""
    end = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < end:
        time.sleep(every)
    return answer


class Stack:
    """One installation. Its processes are started and broken by name."""

    def __init__(self, folder: Path, database: str, redis: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {
            **{k: v for k, v in os.environ.items() if k not in ("EMAIL_URL", "DATABASE_URL", "REDIS_URL")},
            "DATA": str(folder),
            "PORT": str(self.port),
            "PUBLIC_URL": self.url,
            "DJANGO_SETTINGS_MODULE": "funnel.settings",
        }
        if database:
            self.env["DATABASE_URL"] = database
        if redis:
            self.env["REDIS_URL"] = redis
        self.folder, self.redis = folder, redis
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.key = ""
        self.business: dict[str, Any] = {}

    def manage(self, *words: str, stdin: str = "") -> str:
        """Run a command of manage.py and give what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT, env=self.env, input=stdin, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, code: str) -> Any:
        """Run a line of Python beside the application's models and give what it prints as JSON."""
        printed = self.manage("shell", "--no-imports", "-c", f"import json\n{code}")
        return json.loads(printed.strip().splitlines()[-1])

    def look(self, question: str) -> list[tuple[Any, ...]]:
        """Ask the database itself: at once, where a command of manage.py takes seconds."""
        if database := self.env.get("DATABASE_URL"):
            workspace = json.loads((self.folder / BUSINESS).read_text())["workspace"]["id"]
            with contextlib.closing(psycopg2.connect(database)) as wire, wire.cursor() as cursor:
                cursor.execute("SELECT set_config('baton.workspace', %s, false)", [workspace])
                cursor.execute(question)
                return cursor.fetchall()
        with contextlib.closing(sqlite3.connect(self.folder / "baton.sqlite3", timeout=20)) as file:
            return file.execute(question).fetchall()

    def start(self, *names: str, **hurt: Any) -> None:
        """Start the named parts: web, worker, beat; a second of a kind is named worker2, beat2.

        What they are `hurt` by says tests/faults/hurt.py.
        """
        run, code, door = [sys.executable, "-m"], "funnel", "funnel.wsgi"
        env = self.env
        if hurt:
            code, door = "tests.faults.hurt", "tests.faults.hurt:application"
        for name in names:
            if name.startswith("web"):
                command = [*run, "gunicorn", door, "--bind", f"127.0.0.1:{self.port}", "--no-control-socket"]
                command += ["--preload", "--worker-class", "gthread", "--workers", "2", "--threads", "8"]
                command += ["--timeout", "60"]
            elif name.startswith("worker"):
                command = [*run, "celery", "-A", code, "worker", "--without-gossip", "--without-mingle"]
                command += ["--pool", "prefork" if self.redis else "threads", "--concurrency", "2", "-n", f"{name}@%h"]
            else:
                command = [*run, "celery", "-A", code, "beat", "--pidfile="]
                command += ["--schedule", str(self.folder / f"{name}-schedule")]
            if hurt:
                env = {**self.env, "HURT": json.dumps({**hurt, "part": name})}
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    command, cwd=ROOT, env=env, stdout=log, stderr=log,
                    start_new_session=True, preexec_fn=supervisor.end_with_parent,
                )  # fmt: skip
            if name == "web":
                assert until(self.answers, 60), (self.folder / "web.log").read_text()
                # Each of the two web processes draws its first page; nobody is promised a second before that.
                for _ in range(12):
                    self.get("/accounts/login/")

    def answers(self) -> bool:
        """Whether a page is served."""
        try:
            return self.get("/healthz")[0] == 200
        except OSError:
            return False

    def wait_ready(self) -> None:
        """Wait until every part says that it works."""
        assert until(lambda: self.get("/readyz")[0] == 200, 60, 0.5), self.get("/readyz")[1]

    def end(self, name: str, number: int = signal.SIGKILL) -> None:
        """End a part and all of its own children."""
        process = self.processes.pop(name)
        supervisor.signal_group(process.pid, number)
        process.wait(30)

    def stop(self) -> None:
        """End whatever still runs."""
        for name in list(self.processes):
            self.end(name)

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """GET a page; give status and text."""
        return self._send("GET", path, None, headers)

    def post_form(self, path: str, fields: dict[str, str], **headers: str) -> tuple[int, str, float]:
        """POST as a browser's plain form does; give status, where it leads, and the seconds it took."""
        began = time.monotonic()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        status, where = self._send("POST", path, urlencode(fields), headers)
        return status, where, time.monotonic() - began

    def api(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Call the API with the workspace's key; give status and what it said."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        status, text = self._send(method, f"/api/v1/{path}", None if body is None else json.dumps(body), headers)
        return status, json.loads(text) if text else None

    def _send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, str]:
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            wire.request(method, path, body, headers)
            answer = wire.getresponse()
            text = answer.read().decode()
            return answer.status, answer.headers.get("Location", text) if method == "POST" and body else text
        finally:
            wire.close()


def start_business(stack: Stack) -> dict[str, Any]:
    """Give the business that every installation here begins with: its key, and the address of its contact form."""
    made: dict[str, Any] = json.loads((stack.folder / BUSINESS).read_text())
    stack.key = made["api_key"]
    return made


def _begin(stack: Stack) -> None:
    """Make a workspace by the command."""
    made = json.loads(
        stack.manage(
            "workspace", "create", "Harbour Bikes", "--owner", "owner@harbour.example", "--password-stdin",
            "--country", "GB", "--timezone", "Europe/London", "--with-key", "all", stdin=PASSWORD,
        )
    )  # fmt: skip
    made["form"] = stack.ask(
        "from marketing.capture.models import Form\nfrom funnel.workspaces.gate import tenant\n"
        f"from uuid import UUID\nwith tenant(UUID('{made['workspace']['id']}')):\n"
        "    print(json.dumps('/f/' + Form.objects.get(name='Contact us').token + '/'))"
    )
    (stack.folder / BUSINESS).write_text(json.dumps(made))


def tables(moulds: Path, database: str) -> tuple[Path, str]:
    """A folder and a database with the tables alone, made once per run of the suite by whoever comes first."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"alone{os.getpid()}"
    folder, name = moulds / run, f"mould_{run}" if database else ""
    with _alone(moulds):
        if not folder.exists():
            _break_moulds(moulds, database)
            folder.mkdir()
            if database:
                _run(database, f'CREATE DATABASE "{name}"')
            Stack(folder, _named(database, name), "").manage("migrate", "-v", "0")
    return folder, name


def _mould(moulds: Path, database: str) -> tuple[Path, str]:
    """A folder and a database with one business, to copy installations from; made once per run too."""
    bare, source = tables(moulds, database)
    folder, name = moulds / f"{bare.name}_business", f"{source}_business" if database else ""
    with _alone(moulds):
        if not (folder / BUSINESS).exists():
            shutil.copytree(bare, folder)
            if database:
                _run(database, f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
            _begin(Stack(folder, _named(database, name), ""))
    return folder, name


@contextlib.contextmanager
def _alone(moulds: Path) -> Iterator[None]:
    moulds.mkdir(parents=True, exist_ok=True)
    with (moulds / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _break_moulds(moulds: Path, database: str) -> None:
    """Clear up what an earlier run left."""
    for folder in moulds.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
            if database:
                _run(database, f'DROP DATABASE IF EXISTS "mould_{folder.name}"')


def _named(database: str, name: str) -> str:
    return urlsplit(database)._replace(path=f"/{name}").geturl() if database else ""


@contextlib.contextmanager
def running(folder: Path, *, redis: str = "", server: Postgres | None = None) -> Iterator[Stack]:
    """An installation with one business, on the database of this pass: a file, or a PostgreSQL database, of its own.

    With a `server` of its own it is there.
    """
    from django.conf import settings

    given = server.url if server else "" if settings.SQLITE else os.environ["DATABASE_URL"]
    name = f"stack_{secrets.token_hex(4)}" if given else ""
    mould, database = _mould(settings.DATA / (f"moulds{server.port}" if server else "moulds"), given)
    shutil.copytree(mould, folder, dirs_exist_ok=True)
    if given:
        _run(given, f'CREATE DATABASE "{name}" TEMPLATE "{database}"')
    stack = Stack(folder, _named(given, name), redis)
    try:
        yield stack
    finally:
        stack.stop()
        if name:
            _run(given, f'DROP DATABASE "{name}" WITH (FORCE)')


def _run(url: str, statement: str) -> None:
    wire = psycopg2.connect(url)
    wire.autocommit = True
    with wire.cursor() as cursor:
        cursor.execute(statement)
    wire.close()


if __name__ == "__main__":  # tests/run.py has it made before the tests begin
    _mould(Path(os.environ["DATA"]) / "moulds", os.environ.get("DATABASE_URL", ""))
