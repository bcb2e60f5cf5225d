"""Whether everything is there: /healthz, /readyz, and the quiet line in the navigation."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Min, Subquery, Value
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from funnel.outbox.health import LATE, parts
from funnel.outbox.models import Effect, Heartbeat, Lane, State
from funnel.templatetags.words import ago, span
from funnel.workspaces.models import Workspace
from funnel.workspaces.roles import public


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
    due = Effect.objects.filter(workspace_id=workspace_id, lane=Lane.LIVE, state=State.DUE, due_at__lte=Now())
    oldest = due.order_by().values(of=Value(1)).annotate(oldest=Min("due_at")).values("oldest")
    worker = Heartbeat.objects.filter(name="worker").values("seen_at")
    # A row stands for the business, so that the database says its now whatever else is there.
    told = Workspace.objects.filter(pk=workspace_id)
    now, seen, waits = told.values_list(Now(), Subquery(worker), Subquery(oldest)).get()
    return (now - seen).total_seconds() if seen else None, (now - waits).total_seconds() if waits else 0.0


lateness = Remembered(_ask)


def worker_hint(workspace_id: UUID, *, leads_others: bool) -> dict[str, Any] | None:
    """Say in words how far behind the worker is, for the navigation."""
    seen, waits = lateness(workspace_id)
    if seen is None:
        words = "The worker was not seen yet." if leads_others else "Updates wait. Your work is saved."
        return {"text": words, "late": True}
    behind = max(seen if seen > LATE else 0.0, waits if waits > LATE else 0.0)
    if not behind:
        return {"text": f"Up to date, {ago(timedelta(seconds=seen))}", "late": False}
    late = span(timedelta(seconds=behind))
    if not leads_others:
        return {"text": f"Updates are {late} late. Your work is saved.", "late": True}
    if seen > LATE:
        return {"text": f"The worker was last seen {span(timedelta(seconds=seen))} ago.", "late": True}
    return {"text": f"Updates are {late} late. Nothing is lost.", "late": True}
