"""Demos that stand on days on which their rep is away, or nobody works here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.urls import reverse

from funnel.templatetags.words import day_time
from funnel.workspaces.models import Member, Workspace
from sales.demos.models import Demo


def booked_on(
    spans: Sequence[tuple[Member | None, date, date]], *, workspace: Workspace, at: datetime
) -> list[list[dict[str, Any]]]:
    """The demos to come in each span of days, the member's or everybody's, by one query: SLOTS["booked_on"]."""
    if not spans:
        return []
    inside = [(member, *_moments(first, last, workspace)) for member, first, last in spans]
    # What lies between them is left out below: so many spans in one condition are more than SQLite takes.
    found = (
        Demo.objects.upcoming(at)
        .with_people()
        .filter(starts_at__lt=max(end for *_, end in inside), ends_at__gt=min(begin for _, begin, _ in inside))
    )
    if all(member for member, *_ in inside):
        found = found.filter(holder__in={member for member, *_ in inside})
    demos = list(found)
    return [
        [
            _says(one)
            for one in demos
            if one.starts_at < end and one.ends_at > begin and (member is None or one.holder_id == member.pk)
        ]
        for member, begin, end in inside
    ]


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
