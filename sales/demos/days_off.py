"""Demos that stand on days on which their rep is away, or nobody works here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.urls import reverse

from funnel.templatetags.words import calendar_day, day_time
from funnel.workspaces.models import Member, TimeOff, Workspace
from sales.demos.models import Demo


def booked_on(
    spans: Sequence[tuple[Member | None, date, date]], *, workspace: Workspace, at: datetime
) -> list[list[dict[str, Any]]]:
    """The demos to come in each span of days, the member's or everybody's: SLOTS["booked_on"]."""
    if not spans:
        return []
    inside = [(member, *_moments(first, last, workspace)) for member, first, last in spans]
    # So many spans in one condition are more than SQLite takes; what lies between them is left out here.
    until, since = max(end for *_, end in inside), min(begin for _, begin, _ in inside)
    rows = Demo.objects.upcoming(at).filter(starts_at__lt=until, ends_at__gt=since)
    rows = list(rows.values_list("pk", "holder", "starts_at", "ends_at"))
    found = [
        [pk for pk, who, starts, ends in rows if starts < end and ends > begin and (not member or who == member.pk)]
        for member, begin, end in inside
    ]
    demos = Demo.objects.with_people().in_bulk({pk for each in found for pk in each})
    return [[_says(demos[pk]) for pk in each] for each in found]


def why_nobody(demos: Sequence[Demo], workspace: Workspace) -> dict[UUID, str]:
    """Why nobody would be there for each of the demos, blank where somebody is; one query, and none without a demo."""
    if not demos:
        return {}
    on = {one.pk: calendar_day(one.starts_at) for one in demos}
    holders = {one.holder_id for one in demos}
    rows = TimeOff.objects.filter(member__in=holders, first__lte=max(on.values()), last__gte=min(on.values()))
    away = list(rows.values_list("member", "first", "last"))

    def says(demo: Demo) -> str:
        day = on[demo.pk]
        if day in workspace.holidays:
            return "Closed that day"
        off = any(member == demo.holder_id and first <= day <= last for member, first, last in away)
        return "Away that day" if off or not demo.holder.works_on(day) else ""

    return {one.pk: says(one) for one in demos}


def _moments(first: date, last: date, workspace: Workspace) -> tuple[datetime, datetime]:
    begin, end = (datetime.combine(day, time(), workspace.zone) for day in (first, last + timedelta(days=1)))
    return begin, end


def _says(demo: Demo) -> dict[str, Any]:
    """Who, when and with whom, and where it is moved or cancelled."""
    return {
        "who": str(demo.lead),
        "when": day_time(demo.starts_at),
        "with": demo.holder.first_name,
        "url": reverse("lead", args=[demo.lead_id]) + "#demos",
    }
