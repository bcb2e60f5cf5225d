"""Whether the parts work: /healthz, /readyz, the status page, and the quiet line in the navigation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from funnel.outbox.drain import handlers
from funnel.outbox.models import Effect, Heartbeat, Lane, State
from funnel.templatetags.words import span
from funnel.workspaces.gate import database_now, everywhere
from funnel.workspaces.roles import public

LATE = 60.0
STRANGE_AFTER = timedelta(hours=1)
BROKER_WAIT = 1.0


@dataclass(frozen=True)
class Part:
    """One part and its state; `says` is a sentence for a person, `age` the seconds since it was last seen."""

    name: str
    ok: bool
    says: str
    age: float | None = None


def parts() -> list[Part]:
    """Ask every part how it is; without a database nothing else can be told."""
    database = _database()
    if not database.ok:
        return [database, _broker()]
    return [database, _migrations(), _role(), _broker(), *_heartbeats(), _strangers()]


def _database() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except Error:
        connection.close()
        return Part("database", False, "The database doesn’t answer.")
    return Part("database", True, "Answers.")


def _migrations() -> Part:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Error:
        return Part("migrations", False, "The database can’t say which migrations it has.")
    if missing:
        return Part("migrations", False, f"{len(missing)} not applied, the first is {missing[0][0]}.")
    return Part("migrations", True, "All applied.")


def _role() -> Part:
    """On PostgreSQL the second wall stands only for a role that can't climb over it."""
    if settings.SQLITE:
        return Part("role", True, "Not needed on SQLite.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        superuser, bypass = cursor.fetchone()
    if superuser or bypass:
        what = "is a superuser" if superuser else "may bypass row-level security"
        return Part("role", False, f"The database role {what}; give Baton an ordinary one.")
    return Part("role", True, "An ordinary one.")


def _broker() -> Part:
    """Ask the broker within a second; a thread, because a broker that hangs must not hang this answer."""
    said: list[Part] = []

    def ask() -> None:
        from funnel.celery import app

        try:
            with app.connection_for_write(connect_timeout=BROKER_WAIT) as wire:
                wire.ensure_connection(max_retries=1, timeout=BROKER_WAIT, interval_start=0.1)
                channel: Any = wire.default_channel
                channel._size(app.conf.task_default_queue)
            said.append(Part("broker", True, "Answers."))
        except Exception as error:
            said.append(Part("broker", False, f"Can’t be reached ({type(error).__name__})."))

    asking = threading.Thread(target=ask, name="readyz broker", daemon=True)
    asking.start()
    asking.join(BROKER_WAIT)
    return said[0] if said else Part("broker", False, f"Gave no answer within {BROKER_WAIT:g} s.")


def _heartbeats() -> list[Part]:
    now = database_now()
    seen = {one.name: (now - one.seen_at).total_seconds() for one in Heartbeat.objects.all()}
    return [_heartbeat(name, seen.get(name)) for name in ("worker", "beat")]


def _heartbeat(name: str, age: float | None) -> Part:
    if age is None:
        return Part(name, False, "Was never seen.")
    return Part(name, age <= LATE, f"Seen {span(timedelta(seconds=age))} ago.", round(max(0.0, age), 1))


def _strangers() -> Part:
    """Duties whose handler this release doesn't know wait for ever; after a deploy that is worth a look."""
    with everywhere():
        waiting = list(
            Effect.objects.filter(state=State.DUE, due_at__lte=database_now() - STRANGE_AFTER)
            .exclude(handler__in=list(handlers()))
            .values_list("handler", flat=True)
            .distinct()[:5]
        )
    if waiting:
        return Part("handlers", False, f"Nobody knows how to do {', '.join(sorted(waiting))}.")
    return Part("handlers", True, "Every duty that waits has one.")


@public
@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process answers."""
    return JsonResponse({"status": "ok"})


@public
@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether everything is there that Baton needs; 503 names what is wrong."""
    asked = parts()
    wrong = [f"{part.name}: {part.says}" for part in asked if not part.ok]
    body = {
        "status": "unready" if wrong else "ready",
        "wrong": wrong,
        "parts": {part.name: {key: value for key, value in asdict(part).items() if key != "name"} for part in asked},
    }
    return JsonResponse(body, status=503 if wrong else 200)


# ── the quiet line ───────────────────────────────────────────────────────


class Remembered:
    """A figure per workspace that this process asks for once in a few seconds, however many pages it draws."""

    def __init__(self, ask: Callable[[UUID], Any], seconds: float = 5.0) -> None:
        self.ask, self.seconds = ask, seconds
        self.known: dict[UUID, tuple[float, Any]] = {}

    def __call__(self, workspace_id: UUID) -> Any:
        now = time.monotonic()
        when, value = self.known.get(workspace_id, (-self.seconds, None))
        if now - when >= self.seconds:
            if len(self.known) > 1000:
                self.known.clear()
            value = self.ask(workspace_id)
            self.known[workspace_id] = (now, value)
        return value


def _ask(workspace_id: UUID) -> tuple[float | None, float]:
    """The age of the worker's heartbeat, and how long the workspace's oldest live duty has been due."""
    now: datetime = database_now()
    worker = Heartbeat.objects.filter(name="worker").values_list("seen_at", flat=True).first()
    oldest = Effect.objects.filter(
        workspace_id=workspace_id, lane=Lane.LIVE, state=State.DUE, due_at__lte=now
    ).aggregate(Min("due_at"))["due_at__min"]
    return (now - worker).total_seconds() if worker else None, (now - oldest).total_seconds() if oldest else 0.0


lateness = Remembered(_ask)


def worker_hint(workspace_id: UUID, *, leads_others: bool) -> dict[str, Any] | None:
    """Say in words how far behind the worker is, for the navigation."""
    seen, waits = lateness(workspace_id)
    if seen is None:
        words = "The worker was not seen yet." if leads_others else "Updates wait. Your work is saved."
        return {"text": words, "late": True}
    behind = max(seen if seen > LATE else 0.0, waits if waits > LATE else 0.0)
    if not behind:
        return {"text": f"Up to date, {span(timedelta(seconds=seen))} ago", "late": False}
    ago = span(timedelta(seconds=behind))
    if not leads_others:
        return {"text": f"Updates are {ago} late. Your work is saved.", "late": True}
    if seen > LATE:
        return {"text": f"The worker was last seen {span(timedelta(seconds=seen))} ago.", "late": True}
    return {"text": f"Updates are {ago} late. Nothing is lost.", "late": True}
