"""Demos that stand on days on which their rep is away, or nobody works here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q
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
    asked = (
        Q(starts_at__lt=end, ends_at__gt=begin, **({"holder": member} if member else {}))
        for member, begin, end in inside
    )
    found = list(Demo.objects.upcoming(at).with_people().filter(reduce(or_, asked)))
    return [
        [
            _says(one)
            for one in found
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
