"""`manage.py check_facts`: recompute what must hold and compare, in one snapshot."""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import AbstractContextManager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django_scopes import scope

from funnel.leads.models import Lead
from funnel.mail.models import Message, MessageState
from funnel.outbox.models import Effect, State
from funnel.workspaces.gate import enter
from funnel.workspaces.models import Workspace
from funnel.workspaces.slots import slot


def snapshot() -> AbstractContextManager[Any]:
    """A transaction that sees one state of the database and, on SQLite, doesn't take the write lock."""
    if settings.SQLITE:
        connection.ensure_connection()
        connection.transaction_mode = "DEFERRED"  # type: ignore[attr-defined]
    return transaction.atomic()


class Command(BaseCommand):
    help = "Recompute what must hold and compare; prints JSON and ends with 1 where something differs."

    def handle(self, *args: Any, **options: Any) -> None:
        found = check()
        self.stdout.write(json.dumps(found, indent=1))
        if not found["ok"]:
            sys.exit(1)


def check() -> dict[str, Any]:
    """What `check_facts` prints: the differences, and what waits counted apart."""
    differences: list[dict[str, str]] = []
    counts: Counter[str] = Counter()
    mode = getattr(connection, "transaction_mode", None)
    try:
        with snapshot():
            if not settings.SQLITE and not transaction.get_connection().savepoint_ids:
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for workspace in Workspace.objects.order_by("created_at"):
                with scope(workspace=workspace.pk):
                    at = enter(workspace.pk)
                    counts["workspaces"] += 1
                    counts["leads"] += Lead.objects.count()
                    waiting = Effect.objects.filter(state=State.DUE)
                    counts["pending"] += waiting.filter(due_at__lte=at).count()
                    counts["scheduled"] += waiting.filter(due_at__gt=at).count()
                    counts["stuck"] += Effect.objects.filter(state=State.STUCK).count()
                    counts["messages_unknown"] += Message.objects.filter(state=MessageState.UNKNOWN).count()
                    for fact in slot("facts"):
                        differences += [
                            {"workspace": workspace.slug, "fact": name, "says": says}
                            for name, says in fact(workspace, at)
                        ]
    finally:
        if settings.SQLITE:
            connection.transaction_mode = mode  # type: ignore[attr-defined]
    return {
        "ok": not differences,
        "workspaces": counts["workspaces"],
        "leads": counts["leads"],
        "effects": {name: counts[name] for name in ("pending", "scheduled", "stuck")},
        "messages": {"unknown": counts["messages_unknown"]},
        "differences": len(differences),
        "first": differences[:100],
    }
