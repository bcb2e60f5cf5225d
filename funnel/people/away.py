"""Who is away and when the business is closed: nobody away is offered a lead, and no clock runs on a holiday."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time, timedelta

from django.db import transaction

from funnel.handoff.clock import follow_hours
from funnel.outbox.actions import record
from funnel.outbox.models import Effect, Event
from funnel.people.actions import audit, pass_offers_on
from funnel.templatetags.words import day
from funnel.workspaces.hours import idle_year
from funnel.workspaces.models import Member, TimeOff, Workspace
from funnel.workspaces.refusals import Forbidden, Refusal

# A clock must find its working hours within what hours.spans walks, however few a week has.
MOST_HOLIDAYS = 200
LONGEST, FAR = timedelta(days=366), timedelta(days=366 * 2)


class WrongDays(Refusal):
    """Days that can't be taken; `field` says which."""

    status = 422


class SomebodyElses(Forbidden):
    """Only an owner or a manager enters days for others."""


def _in_order(first: date, last: date, today: date) -> None:
    if last < first:
        raise WrongDays("The last day comes before the first.", field="last")
    if last < today:
        raise WrongDays("These days are past.", field="first" if first == last else "last")
    if last - first > LONGEST:
        raise WrongDays("This is longer than a year.", field="last")
    if first - today > FAR:
        raise WrongDays("Choose days within the next two years.", field="first")


@transaction.atomic
def take_off(member: Member, first: date, last: date, *, by: Member, at: datetime) -> TimeOff:
    """Note that a member is away; what waits for them goes to somebody else when the first day begins.

    Raises WrongDays or SomebodyElses.
    """
    if by.pk != member.pk and not by.leads_others:
        raise SomebodyElses("Only an owner or a manager enters time off for somebody else.")
    workspace = member.workspace
    _in_order(first, last, workspace.local(at).date())
    clash = TimeOff.objects.filter(member=member, first__lte=last, last__gte=first).order_by("first").first()
    if clash is not None:
        raise WrongDays(
            f"{member.first_name} is away from {day(clash.first)} to {day(clash.last)} already.", field="first"
        )
    made: TimeOff = TimeOff.objects.create(workspace=workspace, member=member, first=first, last=last, made_at=at)
    begins = datetime.combine(first, time(), workspace.zone)
    record(
        workspace.pk, "time_off", at=at, actor=by, data={"time_off": str(made.pk)}, due={"away": max(begins, at)}
    )  # fmt: skip
    audit(by, "time off", member.email, at=at, workspace=workspace, first=first.isoformat(), last=last.isoformat())
    return made


@transaction.atomic
def come_back(time_off: TimeOff, *, by: Member, at: datetime) -> None:
    """Take time off back, before or while it lasts; raise SomebodyElses."""
    if by.pk != time_off.member_id and not by.leads_others:
        raise SomebodyElses("Only an owner or a manager changes the time off of somebody else.")
    days = {"first": time_off.first.isoformat(), "last": time_off.last.isoformat()}
    audit(by, "time off taken back", time_off.member.email, at=at, workspace=by.workspace, **days)
    time_off.delete()


@transaction.atomic
def work_on(member: Member, days: Collection[int], *, by: Member, at: datetime) -> None:
    """Say on which weekdays a member works, Monday being 0; raise WrongDays or SomebodyElses.

    Days on which the business is closed are not kept: should it open on one, they work then as everybody does.
    """
    if by.pk != member.pk and not by.leads_others:
        raise SomebodyElses("Only an owner or a manager decides on which days somebody else works.")
    open_on = [day for day, hours in enumerate(member.workspace.hours) if hours]
    if not set(open_on) & set(days):
        raise WrongDays("Choose a day at least. Who is to get no leads is switched off at People.", field="days")
    member.days_off = "".join(str(day) for day in open_on if day not in days)
    member.save(update_fields=["days_off"])
    audit(by, "working days", member.email, at=at, workspace=member.workspace, off=member.days_off)


def leave(effects: list[Effect], at: datetime) -> None:
    """Time off begins: what waits for the member goes to somebody else."""
    events = Event.objects.filter(pk__in=[one.event_id for one in effects]).select_related("workspace").order_by("id")
    for event in events:
        today = event.workspace.local(at).date()
        found = TimeOff.objects.on(today).filter(pk=event.data["time_off"]).select_related("member__user").first()
        if found is not None and found.member.active:
            pass_offers_on(found.member, by=found.member, at=at)


@transaction.atomic
def close(workspace: Workspace, first: date, last: date, name: str, *, by: Member, at: datetime) -> list[date]:
    """Close the business on these days; give those that were not closed yet. Raises WrongDays.

    Where all were, the name is theirs from now on; among others each keeps its own. What a clock that runs has left in
    working time, it has left still, as with changed hours.
    """
    _in_order(first, last, workspace.local(at).date())
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    before = _as_it_is(workspace)
    closed = before.closed
    new = [one for one in days if one.isoformat() not in closed]
    today = workspace.local(at).date().isoformat()
    if sum(day >= today for day in closed) + len(new) > MOST_HOLIDAYS:
        raise WrongDays(f"{MOST_HOLIDAYS} days to come can be closed at most; a promise to a lead must end some day.")
    if idle_year(workspace.hours, {*closed, *(one.isoformat() for one in new)}, workspace.local(at).date()):
        raise WrongDays("Then nobody would work here for a whole year, and no promise to a lead would come due.")
    changed = {one.isoformat(): name for one in new or (days if name else [])}
    _keep(workspace, closed | changed, before, at)
    if changed.items() - closed.items():
        shown = {"first": first.isoformat(), "last": last.isoformat()}
        audit(by, "holiday", name or first.isoformat(), at=at, workspace=workspace, **shown)
    return new


@transaction.atomic
def reopen(workspace: Workspace, day: str, *, by: Member, at: datetime) -> bool:
    """Open the business on a day, like 2026-12-25, that was to be closed; False where it was not."""
    before = _as_it_is(workspace)
    closed = dict(before.closed)
    name = closed.pop(day, None)
    if name is None:
        return False
    audit(by, "holiday taken back", name, at=at, workspace=workspace, day=day)
    _keep(workspace, closed, before, at)
    return True


def _as_it_is(workspace: Workspace) -> Workspace:
    """The business as it is now, locked: two people may close days at once. Who writes rows beside it doesn't wait."""
    return Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)


def _keep(workspace: Workspace, closed: dict[str, str], before: Workspace, at: datetime) -> None:
    workspace.closed = dict(sorted(closed.items()))
    workspace.save(update_fields=["closed"])
    workspace.__dict__.pop("holidays", None)
    follow_hours(before, workspace, at=at)
