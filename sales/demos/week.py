"""A rep's demos, week by week."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from funnel.mail.actions import why_none
from funnel.templatetags.words import calendar_day, plural, short_day
from funnel.workspaces.models import Member, Workspace
from sales.demos.days_off import why_nobody
from sales.demos.models import Demo, DemoState
from sales.demos.panel import row_of

WEEK = timedelta(days=7)
# A week is what one person, or a small team, can look through.
MOST = 200


def monday_of(text: str, today: date) -> date:
    """The Monday of the week that an address names; this week's where it can't be read."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = today
    if not timedelta(days=-3650) < day - today < timedelta(days=3650):
        day = today
    return day - timedelta(days=day.weekday())


def week_of(request: HttpRequest) -> dict[str, Any]:
    """One week of demos by day, and those that are over without a word on how they went; a fixed number of queries."""
    member: Member = request.member  # type: ignore[attr-defined]
    at: datetime = request.at  # type: ignore[attr-defined]
    workspace: Workspace = request.workspace  # type: ignore[attr-defined]
    everybody = member.leads_others and request.GET.get("who") == "all"
    today = workspace.local(at).date()
    monday = monday_of(request.GET.get("week", ""), today)
    begin, end = (datetime.combine(day, time(), workspace.zone) for day in (monday, monday + WEEK))
    mine = Demo.objects.with_people() if everybody else Demo.objects.with_people().filter(holder=member)
    inside = mine.with_preparing().with_away().filter(starts_at__gte=begin, starts_at__lt=end)
    found = list(inside.order_by("starts_at", "id")[:MOST])
    waiting = list(mine.undecided(at).filter(starts_at__lt=begin)[:MOST])
    rows = [row_of(one, member, at) | {"off": why_nobody(one, workspace)} for one in found]
    days = [
        {"day": day, "rows": list(group)}
        for day, group in groupby(rows, key=lambda row: calendar_day(row["demo"].starts_at))
    ]
    coming = sum(1 for one in found if one.state == DemoState.BOOKED and one.ends_at > at)
    held = sum(1 for one in found if one.state == DemoState.HELD)
    is_this = monday == monday_of("", today)
    later = mine.filter(state=DemoState.BOOKED, starts_at__gte=end).order_by("starts_at")
    whose = "Everybody’s demos" if everybody else "My demos"
    return {
        "title": f"{whose} this week" if is_this else f"{whose} from {short_day(monday)}",
        "blank_title": "No demos this week" if is_this else f"No demos from {short_day(monday)}",
        # Where the week is empty, what comes after it is not to be overlooked.
        "following": None if found else later.first(),
        "days": days,
        "waiting": [row_of(one, member, at) for one in waiting],
        "head": f"{plural(coming, 'demo')} to come, {held} held." if found else "",
        "monday": monday,
        "is_this": is_this,
        "earlier": (monday - WEEK).isoformat(),
        "later": (monday + WEEK).isoformat(),
        "everybody": everybody,
        "today": today,
        "no_mail": SimpleLazyObject(partial(why_none, workspace)),
    }
