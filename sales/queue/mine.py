"""Everybody who is with this member, by next step."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db.models import DateTimeField, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.overview.paging import PAGE, beyond, cursor, read
from funnel.overview.rows import UNKNOWN, grades_of, next_of
from funnel.workspaces.models import Member
from sales.queue.models import Task

# Where nothing is planned: after every step, on every page.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)


def page_of(request: HttpRequest) -> dict[str, Any]:
    """One page of my leads, paged by key."""
    member: Member = request.member  # type: ignore[attr-defined]
    at: datetime = request.at  # type: ignore[attr-defined]
    due = Task.objects.open().filter(lead=OuterRef("pk")).order_by("due_at", "id").values("due_at")[:1]
    leads = (
        Lead.objects.filter(holder=member, stage__in=[*SALES, Stage.CUSTOMER])
        .annotate(due=Coalesce(Subquery(due), Value(NEVER), output_field=DateTimeField()))
        .order_by("due", "id")
    )
    if after := read("my-leads", request.GET.get("after", ""), 2):
        leads = leads.filter(beyond("due", "id", after, falling=False))
    found = list(leads[: PAGE + 1])
    more, found = len(found) > PAGE, found[:PAGE]
    ids = [lead.pk for lead in found]
    steps = Task.objects.open().next_of(ids)
    planned = next_of([pk for pk in ids if pk not in steps])
    grades = grades_of(ids, at=at)
    return {
        "rows": [
            {
                "lead": lead,
                "task": steps.get(lead.pk),
                "planned": planned.get(lead.pk, ""),
                "late": lead.pk in steps and steps[lead.pk].due_at < at,
                "grade": grades.get(lead.pk, UNKNOWN),
            }
            for lead in found
        ],
        "next_url": f"?after={cursor('my-leads', found[-1].due.isoformat(), found[-1].pk)}" if more else "",
        "is_first": after is None,
    }
