"""The whole application as it runs: web, worker and beat as processes of their own, on a database of their own."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psycopg2

import supervisor
from tests.servers import free_port

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "a-long-enough-word"


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

    def manage(self, *words: str, stdin: str = "") -> str:
        """Run a command of manage.py and give what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT, env=self.env, input=stdin, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, code: str) -> Any:
        """Run a line of Python beside the application's models and give what it prints as JSON."""
        printed = self.manage("shell", "--no-imports", "-c", f"import json\n{code}")
        return json.loads(printed.strip().splitlines()[-1])

    def start(self, *names: str) -> None:
        """Start the named parts: web, worker, beat; a second of a kind is named worker2, beat2."""
        run = [sys.executable, "-m"]
        for name in names:
            if name.startswith("web"):
                command = [*run, "gunicorn", "funnel.wsgi", "--bind", f"127.0.0.1:{self.port}", "--no-control-socket"]
                command += ["--worker-class", "gthread", "--workers", "2", "--threads", "8", "--timeout", "60"]
            elif name.startswith("worker"):
                command = [*run, "celery", "-A", "funnel", "worker", "--without-gossip", "--without-mingle"]
                command += ["--pool", "prefork" if self.redis else "threads", "--concurrency", "2", "-n", f"{name}@%h"]
            else:
                command = [*run, "celery", "-A", "funnel", "beat", "--pidfile="]
                command += ["--schedule", str(self.folder / f"{name}-schedule")]
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    command, cwd=ROOT, env=self.env, stdout=log, stderr=log,
                    start_new_session=True, preexec_fn=supervisor.end_with_parent,
                )  # fmt: skip
            if name == "web":
                assert until(self.answers, 60), (self.folder / "web.log").read_text()
                # One of the two web processes may still be reading its code; nobody is promised a second before that.
                time.sleep(1)
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
    """Make a workspace by the command, with a key of its owner and the address of its contact form."""
    made: dict[str, Any] = json.loads(
        stack.manage(
            "workspace", "create", "Harbour Bikes", "--owner", "owner@harbour.example", "--password-stdin",
            "--country", "GB", "--timezone", "Europe/London", "--with-key", "all", stdin=PASSWORD,
        )
    )  # fmt: skip
    stack.key = made["api_key"]
    made["form"] = stack.ask(
        "from marketing.capture.models import Form\nfrom funnel.workspaces.gate import tenant\n"
        f"from uuid import UUID\nwith tenant(UUID('{made['workspace']['id']}')):\n"
        "    print(json.dumps('/f/' + Form.objects.get(name='Contact us').token + '/'))"
    )
    return made


@contextmanager
def running(folder: Path, *, redis: str = "") -> Iterator[Stack]:
    """An installation on the database that this pass is about: a fresh SQLite file, or a fresh PostgreSQL database."""
    from django.conf import settings

    database, name = "", ""
    if not settings.SQLITE:
        given = urlsplit(os.environ["DATABASE_URL"])
        name = f"stack_{secrets.token_hex(4)}"
        database = given._replace(path=f"/{name}").geturl()
        _run(os.environ["DATABASE_URL"], f'CREATE DATABASE "{name}"')
    stack = Stack(folder, database, redis)
    try:
        stack.manage("migrate", "-v", "0")
        yield stack
    finally:
        stack.stop()
        if name:
            _run(os.environ["DATABASE_URL"], f'DROP DATABASE "{name}" WITH (FORCE)')


def _run(url: str, statement: str) -> None:
    wire = psycopg2.connect(url)
    wire.autocommit = True
    with wire.cursor() as cursor:
        cursor.execute(statement)
    wire.close()
