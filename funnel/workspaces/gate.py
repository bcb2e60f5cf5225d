"""The one gate to a workspace's rows (design.md, Tenants and people)."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django_scopes import scope, scopes_disabled

from funnel.workspaces.asking import Asked
from funnel.workspaces.models import ApiKey, Member, Workspace

SAFE = ("GET", "HEAD", "OPTIONS")
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
# Doors for people outside: they open the gate by their own token, whoever may be logged in.
DOORS = ("/f/", "/b/", "/m/", "/q/", "/u/")
PUBLIC = (*DOORS, "/logo/", "/join/", "/password/", "/accounts/password/", "/healthz", "/readyz")

# The one address under /api/ that is a page: people read it with their log-in.
DOCS = "/api/v1/docs/"

KEYS = Asked(
    lambda digest: ApiKey.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=Now()), digest__in=[digest], revoked_at=None, member__active=True
    ).select_related("member__user", "member__workspace"),
    str,
    outside=True,
)


@contextmanager
def tenant(workspace: Workspace | UUID, *, write: bool = False) -> Iterator[datetime]:
    """Open a workspace's rows and give `at`, the database's now.

    Only a door calls this: a request, a drain batch, a command. On PostgreSQL its transaction is the durable one and
    carries the setting that row-level security reads. On SQLite a transaction takes the one write lock, so it opens
    only for a door that is going to `write`; SQLite runs in this process, so this process's clock is its clock.
    """
    workspace_id = workspace.pk if isinstance(workspace, Workspace) else workspace
    if settings.SQLITE:
        opened: Any = writing() if write else nullcontext()
    else:
        opened = transaction.atomic(durable=True)
    with scope(workspace=workspace_id), opened:
        yield enter(workspace_id)


# Waiting writers of SQLite sleep for up to 100 ms between two looks, so beside a busy worker a page's turn never comes.
# Here the threads of a process queue, and processes look at a file’s lock after a moment, then every few milliseconds.
_turn = threading.Lock()
_mine = threading.local()
SHORTEST, LOOK = 0.0002, 0.004
BEGINS = ("BEGIN", "INSERT", "UPDATE", "DELETE")


@contextmanager
def writing() -> Iterator[None]:
    """Write inside a gate that was opened for reading: on SQLite the write lock is taken only now.

    On PostgreSQL the gate's own transaction goes on. Raises OperationalError when the lock isn't free in time.
    """
    if not settings.SQLITE:
        yield
        return
    with _queued(), transaction.atomic(durable=True):
        yield


@contextmanager
def _queued() -> Iterator[None]:
    """Have this thread's turn among all writers; raise OperationalError when it doesn't come in time."""
    patience = settings.DATABASES["default"]["OPTIONS"]["timeout"]
    until = time.monotonic() + patience
    # All of it: a machine that slept since the line above would have less than nothing left, which is refused.
    if not _turn.acquire(timeout=patience):
        raise OperationalError("database is locked")
    try:
        queue = os.open(f"{connection.settings_dict['NAME']}.lock", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            pause = SHORTEST
            while True:
                try:
                    fcntl.flock(queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise OperationalError("database is locked") from None
                    time.sleep(pause)
                    pause = min(LOOK, pause * 2)
            _mine.turn = True
            yield
        finally:
            _mine.turn = False
            os.close(queue)
    finally:
        _turn.release()


def have_queue(connection: Any, **_signal: Any) -> None:
    """Have all that a new connection writes queue."""
    if in_turn not in connection.execute_wrappers:
        connection.execute_wrappers.append(in_turn)


def in_turn(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Have what is written outside a gate queue too, on SQLite: a session, a sign-up, when a key was used last.

    Only its beginning waits here; who comes after it waits for its end by SQLite's own ways, alone.
    """
    begun = context["connection"].in_atomic_block or getattr(_mine, "turn", False)
    if begun or not sql.startswith(BEGINS):
        return execute(sql, params, many, context)
    with _queued():
        return execute(sql, params, many, context)


def enter(workspace_id: UUID) -> datetime:
    """Set the second wall to a workspace inside an open transaction, and give the database's now."""
    if settings.SQLITE:
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('baton.workspace', %s, true), statement_timestamp()", [str(workspace_id)])
        return cursor.fetchone()[1]


def everywhere() -> Any:
    """Take the first wall away: for claiming, for log-in and for migrations; a test lists the callers."""
    return scopes_disabled()


def database_now() -> datetime:
    """The database's now, for a door outside any workspace."""
    if settings.SQLITE:
        return datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        return cursor.fetchone()[0]


class MemberMiddleware:
    """Find the member behind a log-in or an API key and open the gate around the view.

    An answer of 400 and more takes back what its request wrote.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.member = request.workspace = request.api_key = None  # type: ignore[attr-defined]
        member = self.find(request)
        if member is None:
            return self.get_response(request)
        request.member, request.workspace = member, member.workspace  # type: ignore[attr-defined]
        timezone.activate(member.workspace.zone)
        try:
            changes = request.method not in SAFE
            if changes:
                _receive(request)
            with tenant(member.workspace, write=changes) as at:
                request.at = at  # type: ignore[attr-defined]
                response = self.get_response(request)
                # A read on SQLite opened no transaction, so there is none of ours to take back.
                if response.status_code >= 400 and (changes or not settings.SQLITE):
                    transaction.set_rollback(True)
                return response
        finally:
            timezone.deactivate()

    def find(self, request: HttpRequest) -> Member | None:
        if request.path_info.startswith(PUBLIC):
            return None
        if request.path_info.startswith("/api/") and request.path_info != DOCS:
            return self.by_key(request)
        if not request.user.is_authenticated:
            return None
        mine: list[Member] = getattr(request.user, "places", [])
        request.memberships = mine  # type: ignore[attr-defined]
        chosen = request.session.get("workspace")
        return next((one for one in mine if str(one.workspace_id) == chosen), mine[0] if mine else None)

    def by_key(self, request: HttpRequest) -> Member | None:
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not secret:
            return None
        with everywhere():
            key = next(iter(KEYS.rows([ApiKey.digest_of(secret.strip())])), None)
        if key is None:
            return None
        # This process's clock says only how often it is written.
        if key.last_used_at is None or abs((timezone.now() - key.last_used_at).total_seconds()) > 60:
            with everywhere():
                ApiKey.objects.filter(pk=key.pk).update(last_used_at=Now())
        request.api_key = key  # type: ignore[attr-defined]
        return key.member


def _receive(request: HttpRequest) -> None:
    """Take the whole body in before the gate opens: whoever sends it slowly must not hold the write lock meanwhile."""
    if request.path_info.startswith("/api/") or request.content_type not in FORMS:
        request.body  # noqa: B018, reading it is what it does
    else:
        request.POST  # noqa: B018
