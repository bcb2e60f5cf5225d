"""Everybody who is with this member, by next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Case, DateTimeField, OuterRef, Subquery, Value, When
from django.db.models.functions import Coalesce, Least
from django.http import HttpRequest

from funnel.handoff.clock import not_spoken_to
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.overview.paging import PAGE, beyond, cursor, read
from funnel.overview.ranking import Choice, ranked
from funnel.overview.rows import UNKNOWN, grades_of
from funnel.templatetags.words import day, when
from funnel.workspaces.asking import Asked, together
from funnel.workspaces.models import Member
from sales.queue.models import Task

# Where nothing is planned: after every step, on every page; customers are through and come last.
NEVER, LAST = datetime(9999, 1, 1, tzinfo=UTC), datetime(9999, 2, 1, tzinfo=UTC)
NOTHING = Case(When(stage=Stage.CUSTOMER, then=Value(LAST)), default=Value(NEVER), output_field=DateTimeField())


@dataclass(slots=True)
class Step:
    """What is to be done next with a lead."""

    due_at: datetime
    what: str
    when: str
    late: bool


def _demos() -> Any:
    # Demos stand above the desk, so it knows them by name only.
    return apps.get_model("sales", "Demo").objects.booked()


def _first(rows: Any, moment: str) -> Coalesce:
    """The earliest such moment of a lead, or where it stands without one."""
    found = rows.filter(lead=OuterRef("pk")).order_by(moment).values(moment)[:1]
    return Coalesce(Subquery(found), NOTHING, output_field=DateTimeField())


SILENT = Asked(
    lambda lead: not_spoken_to().filter(lead__in=[lead]).values_list("lead_id", "contact_due_at", "card__why"), UUID
)
PLANNED = Asked(
    lambda lead: Task.objects.open().filter(lead__in=[lead]).values_list("lead_id", "due_at", "what", "all_day"), UUID
)
BOOKED = Asked(
    lambda lead: _demos().filter(lead__in=[lead]).values_list("lead_id", "starts_at", "title", "ends_at"), UUID
)


def steps_of(lead_ids: Sequence[UUID], *, at: datetime) -> dict[UUID, Step]:
    """The next step of each lead that has one: a promised first contact, what is planned, what is booked."""
    if not lead_ids:
        return {}
    silent, planned, booked = together([(asked, [lead_ids]) for asked in (SILENT, PLANNED, BOOKED)])
    found = [(pk, Step(due, f"Call first: {why}", f"by {when(due)}", due < at)) for pk, due, why in silent]
    found += [(pk, Step(due, what, day(due) if all_day else when(due), due < at)) for pk, due, what, all_day in planned]
    found += [
        (pk, Step(due, f"How did it go? {title}" if ends_at <= at else title, when(due), ends_at <= at))
        for pk, due, title, ends_at in booked
    ]
    steps: dict[UUID, Step] = {}
    for pk, step in sorted(found, key=lambda pair: pair[1].due_at):
        steps.setdefault(pk, step)
    return steps


def page_of(request: HttpRequest) -> dict[str, Any]:
    """One page of my leads, by next step or by their scores, paged by key."""
    member: Member = request.member  # type: ignore[attr-defined]
    at: datetime = request.at  # type: ignore[attr-defined]
    due = Least(
        _first(not_spoken_to(), "contact_due_at"), _first(Task.objects.open(), "due_at"), _first(_demos(), "starts_at")
    )
    after, asked = request.GET.get("after", ""), Choice.of(request.GET)
    mine = Lead.objects.filter(holder=member, stage__in=[*SALES, Stage.CUSTOMER])
    if asked.order:
        every = Lead.objects.all()
        found, following = ranked(asked, every, kind="my-leads", at=at, after=after, within=mine, size=PAGE)
    else:
        leads = asked.narrowed(mine, at).annotate(due=due).order_by("due", "id")
        if place := read("my-leads", after, 2):
            leads = leads.filter(beyond("due", "id", place, falling=False))
        found = list(leads[: PAGE + 1])
        end: Any = found[PAGE - 1] if len(found) > PAGE else None
        found, following = found[:PAGE], cursor("my-leads", end.due.isoformat(), end.pk) if end else ""
    ids = [lead.pk for lead in found]
    steps, grades = steps_of(ids, at=at), grades_of(ids, at=at)
    return {
        "rows": [{"lead": lead, "step": steps.get(lead.pk), "grade": grades.get(lead.pk, UNKNOWN)} for lead in found],
        "next_url": asked.query(after=following) if following else "",
        "is_first": not after,
        "asked": asked,
    }
