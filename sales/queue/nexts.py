"""What is next with a lead, for lists of the hall."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from funnel.overview.rows import Next
from funnel.templatetags.words import day, when
from funnel.workspaces.asking import Asked
from sales.queue.models import Task

STEPS = Asked(
    lambda lead: (
        Task.objects.open()
        .filter(lead__in=[lead])
        .order_by("due_at", "id")
        .values_list("lead_id", "what", "due_at", "all_day")
    ),
    UUID,
)


def _says(what: str, due_at: datetime, all_day: bool) -> str:
    return f"{what} · {day(due_at) if all_day else when(due_at)}"


NEXT = Next(STEPS, _says)
