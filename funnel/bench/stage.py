"""A throw-away installation to measure on: a folder, a database, a broker and a business of its own."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import Error, connection, transaction
from django.test import Client
from django_scopes import scope

import supervisor
from funnel.bench import bare
from funnel.bench.load import ROOT
from funnel.outbox.models import Heartbeat
from funnel.people.actions import start_business
from funnel.people.keys import make_key
from funnel.workspaces.gate import database_now, enter
from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import User

GUNICORN = ["gunicorn", "--no-control-socket", "--preload", "--worker-class", "gthread", "--workers", "2"]
GUNICORN += ["--threads", "8"]
# All clients come from one address, so the limits count as ever but never refuse.
NEVER = "1000000000"
BACKEND = "funnel.workspaces.login.LoginBackend"


class CantMeasure(Exception):
    """What is missing, as a sentence for a person."""


# ── outside: what is made for the run and taken away afterwards ──────────────


@contextmanager
def apart() -> Iterator[dict[str, str]]:
    """Make an empty installation on the same disk and servers, and give its environment."""
    settings.DATA.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="bench-", dir=settings.DATA)
    try:
        with _database() as database, _broker() as redis:
            yield {
                **{k: v for k, v in os.environ.items() if k not in ("EMAIL_URL", "PUBLIC_URL", "TRUSTED_PROXIES")},
                "DATA": folder,
                "DATABASE_URL": database,
                "REDIS_URL": redis,
                "HOST": "127.0.0.1",
                "PORT": str(_free_port()),
                "FORM_LIMIT": NEVER,
                "FORM_LIMIT_PER_ADDRESS": NEVER,
                "API_LIMIT": NEVER,
                "LOG_LEVEL": "WARNING",
            }
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _database() -> Iterator[str]:
    """An empty database beside the present one, by the same role; on SQLite a file in the folder."""
    if settings.SQLITE:
        yield ""
        return
    name = f"bench_{secrets.token_hex(4)}"
    try:
        _run(f'CREATE DATABASE "{name}"')
    except Error as error:
        raise CantMeasure(f"A database to measure on can't be made: {error}".strip()) from None
    try:
        yield urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    finally:
        # Not by force, which is refused while the server tidies up in it: so it waits five seconds for everybody.
        _run(f'DROP DATABASE IF EXISTS "{name}"')


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


@contextmanager
def _broker() -> Iterator[str]:
    """An empty numbered database of the same Redis, emptied again afterwards; none where there is none."""
    if not settings.REDIS_URL:
        yield ""
        return
    from redis import Redis

    for number in range(15, 0, -1):
        with Redis.from_url(urlsplit(settings.REDIS_URL)._replace(path=f"/{number}").geturl()) as store:
            if not store.dbsize():
                break
    else:
        raise CantMeasure("No numbered database of this Redis is empty.")
    url = urlsplit(settings.REDIS_URL)._replace(path=f"/{number}").geturl()
    try:
        yield url
    finally:
        with Redis.from_url(url) as store:
            store.flushdb()


def _free_port() -> int:
    import socket

    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


# ── inside: a business, and the programs that serve it ───────────────────────


class Stage:
    """The installation that this process's settings name: migrated, with a business, its key and two forms."""

    def __init__(self) -> None:
        call_command("migrate", verbosity=0)
        at = database_now()
        with transaction.atomic():
            user = User.objects.create_user("owner@bench.example", secrets.token_hex(16), name="Olga Owner")
            self.owner = start_business("Bench", owner=user, country="GB", time_zone="Europe/London", at=at)
            self.workspace = self.owner.workspace
            with scope(workspace=self.workspace.pk):
                enter(self.workspace.pk)
                _, self.key = make_key("bench", member=self.owner, scopes=["all"], by=None, at=at)
                # By name, because the hall knows no wing.
                forms = apps.get_model("marketing", "Form").objects
                self.asks, self.tells = forms.get(), forms.get()
                self.tells.pk, self.tells.token = uuid7(), secrets.token_urlsafe(16)
                self.tells.name, self.tells.at_once = "Guide", False
                self.tells.save(force_insert=True)
        bare.make_table(sqlite=settings.SQLITE)
        self.port, self.bare_port = settings.PORT, _free_port()
        self.form_path = self.asks.path
        self.running_as: dict[str, int] = {}

    @contextmanager
    def running(self, *names: str) -> Iterator[None]:
        """Run the named parts of web, bare, worker and beat, and wait until they are there."""
        with ExitStack() as ends:
            for name in names:
                self._start(name, ends)
            for name in names:
                self._await(name)
            yield

    def _start(self, name: str, ends: ExitStack) -> None:
        celery = ["celery", "-A", "funnel"]
        words = {
            "web": [*GUNICORN, "funnel.wsgi", "--bind", f"127.0.0.1:{self.port}"],
            "bare": [*GUNICORN, "funnel.bench.bare:application", "--bind", f"127.0.0.1:{self.bare_port}"],
            "worker": [
                *celery,
                "worker",
                "--without-gossip",
                "--without-mingle",
                "--concurrency",
                "2",
                "--pool",
                "prefork" if settings.REDIS_URL else "threads",
            ],
            "beat": [*celery, "beat", "--pidfile=", "--schedule", str(settings.DATA / "beat-schedule")],
        }[name]
        env = supervisor.HEAPS | dict(os.environ)
        if name == "bare":
            env["BENCH_DATABASE"] = env["DATABASE_URL"] or f"sqlite:///{settings.DATA / 'baton.sqlite3'}"
            del env["DJANGO_SETTINGS_MODULE"]
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=ROOT, env=env, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=supervisor.end_with_parent,
            )  # fmt: skip
        self.running_as[name] = process.pid
        ends.callback(_end, process)

    def _await(self, name: str) -> None:
        until = time.monotonic() + 60
        while not self._there(name):
            if time.monotonic() > until:
                raise CantMeasure(f"The {name} part does not answer.\n{self._log(name).read_text()[-2000:]}")
            time.sleep(0.1)

    def _there(self, name: str) -> bool:
        if name in ("worker", "beat"):
            return Heartbeat.objects.filter(name=name).exists()
        try:
            if name == "web":
                return self.get("/healthz") != ""
            address = f"http://127.0.0.1:{self.bare_port}/insert/"
            with urllib.request.urlopen(address, data=b"x", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _log(self, name: str) -> Path:
        return Path(settings.DATA) / f"{name}.log"

    def get(self, path: str) -> str:
        """A page's text."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def stamp(self, path: str = "") -> str:
        """When a visitor opened a form, as the form itself says it; old enough not to look like a script."""
        found = re.search(r'name="shown" value="([^"]+)"', self.get(path or self.form_path))
        time.sleep(2.1)
        return found[1] if found else ""

    def most_resident(self, name: str) -> float:
        """MiB that the largest process of a part held at most so far; 0 where the system doesn't say."""
        return max(self._held(name, "status", "VmHWM:"), default=0.0)

    def together(self, name: str) -> float:
        """MiB that the processes of a part hold together, what they share counted once."""
        return sum(self._held(name, "smaps_rollup", "Pss:"))

    def _held(self, name: str, file: str, word: str) -> list[float]:
        found, group = [], self.running_as[name]
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, IndexError):
                if int((folder / "stat").read_text().rpartition(") ")[2].split()[2]) == group:
                    found.append(int((folder / file).read_text().partition(word)[2].split()[0]) / 1024)
        return found


def cookie(user: User) -> str:
    """The header of a browser in which somebody is logged in."""
    client = Client()
    client.force_login(user, backend=BACKEND)
    return "; ".join(f"{name}={one.value}" for name, one in client.cookies.items())


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    supervisor.signal_group(process.pid, 9)
    process.wait(15)
