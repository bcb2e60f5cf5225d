"""Which times of a rep are free: within working hours, not on a holiday or while away, and not booked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from funnel.templatetags import words
from funnel.workspaces.hours import spans
from funnel.workspaces.models import Member, TimeOff, Workspace
from sales.demos.models import TAKES_TIME, BookingPage, Demo

# People outside look this far ahead, and see so many working days at once.
AHEAD, DAYS = timedelta(days=60), 5
QUARTER = timedelta(minutes=15)


@dataclass(slots=True)
class Day:
    """A day on the visitor's clock with the moments at which a meeting may begin."""

    day: date
    times: list[datetime] = field(default_factory=list)


@dataclass(slots=True)
class Offer:
    """What a visitor may choose from; `later` is the day on the business's clock to go on with."""

    days: list[Day]
    later: date | None = None

    @property
    def first(self) -> datetime | None:
        return next((moment for day in self.days for moment in day.times), None)


def offer(
    page: BookingPage,
    *,
    workspace: Workspace,
    at: datetime,
    since: date | None,
    zone: ZoneInfo,
    besides: Demo | None = None,
) -> Offer:
    """The free times of the next working days from `since` on, by day of the visitor's zone; always three queries."""
    shown: dict[date, Day] = {}
    later: date | None = None
    own_days: set[date] = set()
    for day, times in _days(page, workspace, at, since, besides):
        if day not in own_days and len(own_days) == DAYS:
            later = day
            break
        own_days.add(day)
        if zone == workspace.zone:
            shown.setdefault(day, Day(day))
        for moment in times:
            local = moment.astimezone(zone).date()
            shown.setdefault(local, Day(local)).times.append(moment)
    return Offer(sorted(shown.values(), key=lambda one: one.day), later)


def is_free(
    page: BookingPage, starts_at: datetime, *, workspace: Workspace, at: datetime, besides: Demo | None = None
) -> bool:
    """Whether a visitor may book this moment: one of those that the page offers now."""
    on = workspace.local(starts_at).date()
    days = _days(page, workspace, at, on, besides)
    return any(starts_at in times for day, times in days if day == on)


def _days(
    page: BookingPage, workspace: Workspace, at: datetime, since: date | None, besides: Demo | None
) -> Iterator[tuple[date, list[datetime]]]:
    """Each working span with its day on the business's clock and its free times, in order."""
    length = timedelta(minutes=page.minutes)
    gap = timedelta(minutes=page.gap_minutes)
    # One after the other, so that a day holds as many as it can; in quarters of an hour, which people remember.
    step = -(-(length + gap) // QUARTER) * QUARTER
    today = workspace.local(at).date()
    # In UTC, where adding half an hour is half an hour on the day on which the clocks change too.
    begin = datetime.combine(max(since or today, today), time(), workspace.zone).astimezone(UTC)
    earliest, end = at + timedelta(hours=page.notice_hours), at + AHEAD
    if begin > end:
        return
    away, busy = _away(page.member, today, workspace.local(end).date()), _busy(page.member, begin, end, besides)
    for opens, closes in spans(workspace, begin):
        if opens > end:
            return
        day = workspace.local(opens).date()
        if closes <= earliest or not page.member.works_on(day):
            continue
        times = []
        moment = opens
        while moment + length <= closes and day not in away:
            clash = any(moment < until + gap and moment + length + gap > start for start, until in busy)
            if moment >= earliest and not clash:
                times.append(moment)
            moment += step
        yield day, times


def _away(member: Member, first: date, last: date) -> set[date]:
    """The days on which the member is away."""
    found: set[date] = set()
    rows = TimeOff.objects.filter(member=member, first__lte=last, last__gte=first)
    for begins, ends in rows.values_list("first", "last"):
        day = max(begins, first)
        while day <= min(ends, last):
            found.add(day)
            day += timedelta(days=1)
    return found


def _busy(member: Member, begin: datetime, end: datetime, besides: Demo | None) -> list[tuple[datetime, datetime]]:
    """When the member has a demo, a day around it included for what reaches over the edge."""
    around = timedelta(days=1)
    rows = Demo.objects.filter(
        holder=member, state__in=TAKES_TIME, starts_at__lt=end + around, ends_at__gt=begin - around
    )
    if besides is not None:
        rows = rows.exclude(pk=besides.pk)
    return list(rows.values_list("starts_at", "ends_at"))


def is_away(member: Member, moment: datetime, workspace: Workspace) -> bool:
    """Whether the member has taken that day off, or doesn't work on such days."""
    on = workspace.local(moment).date()
    return not member.works_on(on) or bool(TimeOff.objects.on(on).filter(member=member).exists())


def unusual(holder: Member, starts_at: datetime, ends_at: datetime, *, by: Member, workspace: Workspace) -> str:
    """What speaks against a time that `by` chose for a member's demo, as a sentence; blank where nothing does."""
    begins, ends = workspace.local(starts_at), workspace.local(ends_at)
    on = words.day(begins.date())
    if not holder.works_on(begins.date()):
        return f"{'You don’t' if holder == by else f'{holder.first_name} doesn’t'} work on {begins:%A}s."
    if is_away(holder, starts_at, workspace):
        return f"{'You are' if holder == by else f'{holder.first_name} is'} off on {on}."
    if begins.date() in workspace.holidays:
        name = workspace.closed[begins.date().isoformat()]
        return f"{on} is a holiday: {name}." if name else f"{on} is a holiday."
    if not workspace.hours[begins.weekday()]:
        return f"{on} is no working day."
    opens, closes = next(spans(workspace, starts_at))
    if opens == starts_at and ends_at <= closes:
        return ""
    return f"{begins:%H:%M} to {ends:%H:%M} on {on} is outside working hours."
