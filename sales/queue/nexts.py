"""What is next with a lead, for lists of the hall."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

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


def next_of(lead_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The next step of each lead that has one, in words."""
    steps: dict[UUID, str] = {}
    for lead_id, what, due_at, all_day in STEPS.rows(lead_ids):
        steps.setdefault(lead_id, f"{what}, {day(due_at) if all_day else when(due_at)}")
    return steps
