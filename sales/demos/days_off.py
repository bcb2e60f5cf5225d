"""Demos that stand on days on which their rep is away, or nobody works here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.urls import reverse

from funnel.templatetags.words import calendar_day, day_time
from funnel.workspaces.models import Member, Workspace
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


def why_nobody(demo: Demo, workspace: Workspace) -> str:
    """Why nobody would be there for a demo of with_away(); blank where somebody is."""
    day = calendar_day(demo.starts_at)
    if day in workspace.holidays:
        return "Closed that day"
    return "Away that day" if demo.away or not demo.holder.works_on(day) else ""  # type: ignore[attr-defined]


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
