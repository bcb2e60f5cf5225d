"""Facts that `check_facts` recomputes: nothing due is left lying."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from funnel.outbox.models import Effect, State
from funnel.workspaces.facts import Difference
from funnel.workspaces.models import Workspace

LATE = timedelta(seconds=60)


def nothing_is_late(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """No effect has been due for more than a minute."""
    late = Effect.objects.filter(state=State.DUE, due_at__lt=at - LATE).order_by("due_at")
    for pk, handler, due_at in late.values_list("pk", "handler", "due_at")[:100]:
        yield "effect is late", f"{handler} ({pk}) has been due since {due_at.isoformat()}"
