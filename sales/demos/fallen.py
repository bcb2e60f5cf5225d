"""Demos that were cancelled or missed, on the desk of whoever has the lead, until something newer is planned or done.

Nothing is kept for it: the rows are read from what happened, so none can be left behind.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import Least

from funnel.leads.stages import SALES
from funnel.outbox.kinds import CONTACTS
from funnel.outbox.models import Event
from funnel.templatetags.words import calendar_day, clock_time, day, day_time
from funnel.workspaces.asking import Asked
from funnel.workspaces.models import Member
from sales.deals.models import OPEN, Deal
from sales.demos.models import Demo, DemoState
from sales.queue.desk import MOST, WITH_FACE, Planned
from sales.queue.models import Task

# What one of us does with a lead after which the row has done its work.
ANSWERS = (*CONTACTS, "next_step", "next_step_moved", "next_step_done", "quote_sent")
THEN = "Call, or book again"


def _fallen(member: UUID) -> Any:
    """The demos of open deals, the last one first, with leads that are with the member or have such a deal with them.

    A step or a demo that was planned since then ends it, and so does what one of us did with the lead.
    """
    # Asked of each such demo: there are few of them, and thousands of leads may be with the member.
    theirs = Q(lead__holder=member, lead__stage__in=SALES)
    selling = Exists(Deal.objects.open().filter(lead=OuterRef("lead"), holder=member))
    # Who doesn't come is often called, and given another time, before anybody notes that they didn't.
    planned = {"lead": OuterRef("lead"), "made_at__gt": OuterRef("planned_since")}
    done = Event.objects.in_force().filter(
        lead=OuterRef("lead"), kind__in=ANSWERS, actor__isnull=False, occurred_at__gt=OuterRef("planned_since")
    )
    by = Event.objects.filter(lead=OuterRef("lead"), kind="demo_cancelled", occurred_at=OuterRef("decided_at"))
    return (
        Demo.objects.filter(
            theirs | Q(selling), deal__stage__in=OPEN, state__in=(DemoState.CANCELLED, DemoState.MISSED)
        )
        .annotate(planned_since=Least("starts_at", "decided_at"), by=Subquery(by.values("actor__user__name")[:1]))
        .filter(
            ~Exists(Task.objects.open().filter(**planned)),
            ~Exists(Demo.objects.booked().filter(**planned)),
            ~Exists(done),
        )
        .select_related("lead")
        .only("state", "reason", "starts_at", "decided_at", *WITH_FACE)
        .order_by("-decided_at", "-id")[:MOST]
    )


FALLEN = Asked(_fallen, UUID)


def desk_rows(member: Member, at: datetime) -> list[Planned]:
    """The last of such demos of each lead, under today: SLOTS["desk_rows"]."""
    # Of two with one lead the last says it.
    last = {one.lead_id: one for one in reversed(FALLEN.rows([member.pk]))}
    return [
        Planned(one.decided_at, one.lead, _says(one), "today", _when(one, at), yields=True) for one in last.values()
    ]


def _says(demo: Any) -> str:
    """What happened, in the lead's words or the colleague's where there are any, and what to do."""
    of = f"demo of {day_time(demo.starts_at)}"
    if demo.state == DemoState.MISSED:
        return f"Did not come to the {of}. {THEN}"
    said = f": “{demo.reason.rstrip('.')}”" if demo.reason else ""
    return f"{demo.by or 'The lead'} cancelled the {of}{said}. {THEN}"


def _when(demo: Demo, at: datetime) -> str:
    """When it was cancelled; one that was missed says that itself."""
    if demo.state == DemoState.MISSED:
        return ""
    on = demo.decided_at or at
    return f"Since {clock_time(on) if calendar_day(on) == calendar_day(at) else day(on)}"
