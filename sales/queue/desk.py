"""What stands on a rep's desk, in the order in which it should be done. A fixed number of queries."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Value

from funnel.handoff.clock import contacts
from funnel.handoff.models import Handoff, Outcome
from funnel.leads.models import Lead
from funnel.leads.stages import SALES
from funnel.overview.rows import UNKNOWN, grades_of, minutes_left
from funnel.scoring.models import Basis, LeadScore
from funnel.templatetags.words import calendar_day, clock_time, day, when
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.slots import slot
from sales.queue.models import Task

# A desk is what one person can look through; what doesn't fit stands on "My leads" and "Handoffs".
MOST = 30
# What a row says of a lead; the other columns of a hundred leads cost more than the rows.
FACE = (*Lead.NAMES, "stage")
WITH_FACE = tuple(f"lead__{name}" for name in FACE)


@dataclass(slots=True)
class Row:
    """One thing to do."""

    lead: Lead
    what: str
    when: str = ""
    left: float | None = None
    promise: float = 0
    grade: Any = UNKNOWN


@dataclass(slots=True)
class Group:
    """Things to do under one heading."""

    title: str
    rows: list[Row] = field(default_factory=list)
    # How many more there are than a desk shows.
    beyond: int = 0

    @property
    def number(self) -> int:
        """How many there are in all."""
        return len(self.rows) + self.beyond


@dataclass(slots=True)
class Planned:
    """Something that is to be done at a moment; `group` is late, today, tomorrow or later.

    Who was never spoken to is called first: a row that only says to call `yields` to that.
    """

    due_at: datetime
    lead: Lead
    what: str
    group: str
    when: str
    yields: bool = False


def new_handoffs(member: Member) -> Any:
    """What waits for this member, then the pool, each by its clock."""
    return (
        Handoff.objects.open()
        .filter(Q(offered_to=member) | Q(offered_to=None))
        .order_by(F("offered_to").asc(nulls_last=True), "due_at", "id")
    )


def with_nothing_planned(member: Member) -> Any:
    """The member's leads: first those to whom nobody has spoken since they were handed over, `handed_at`; then the
    others by engagement.
    """
    silent = _taken().filter(~Exists(contacts()), lead=OuterRef("pk")).values("closed_at")[:1]
    # Of those that a desk has no room for, too.
    steps = Task.objects.open().filter(lead=OuterRef("pk"), holder=member)
    # The basis is asked for once, not beside each lead.
    basis = Basis.objects.filter(in_force=True).values("pk")
    score = LeadScore.objects.filter(lead=OuterRef("pk"), basis=Subquery(basis)).values("total")
    return (
        Lead.objects.filter(~Exists(steps), holder=member, stage__in=SALES)
        .only(*FACE)
        .annotate(handed_at=Subquery(silent), total=Subquery(score))
        .order_by(F("handed_at").asc(nulls_last=True), F("total").desc(nulls_last=True), "-id")
    )


def _taken() -> Any:
    return Handoff.objects.filter(outcome=Outcome.ACCEPTED, given_back_at=None)


def _why(leads: list[Lead]) -> dict[UUID, tuple[str, datetime | None]]:
    """Why each of the leads was handed over to whoever has it, and by when they are to be spoken to."""
    if not leads:
        return {}
    found = _taken().filter(lead__in=leads).order_by("closed_at")
    return {lead: (why, due_at) for lead, why, due_at in found.values_list("lead", "card__why", "contact_due_at")}


def stamp(member: Member, at: datetime) -> str:
    """A word that changes when the list would: what waits, what is planned, and the minute for the clocks."""
    waits = list(new_handoffs(member).values_list("pk", "due_at")[:MOST])
    steps = Task.objects.on_desk_of(member).select_related(None).values_list("pk", "due_at")[:MOST]
    return _stamp(member, at, waits, _beyond(member, len(waits)), steps, _others(member, at))


def _beyond(member: Member, shown: int) -> int:
    """How many handoffs wait behind those that a desk shows; asked only where it is full."""
    return new_handoffs(member).count() - shown if shown == MOST else 0


def _stamp(
    member: Member, at: datetime, waits: list[Any], beyond: int, steps: Iterable[Any], others: list[Planned]
) -> str:
    more = [(one.lead.pk, one.due_at, one.what) for one in others]
    text = f"{member.pk} {waits} {beyond} {list(steps)} {more} {at:%Y-%m-%d %H:%M}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _others(member: Member, at: datetime) -> list[Planned]:
    """What other rooms have about the member's leads, each as much as a desk shows: SLOTS["desk_rows"]."""
    return [one for plugged in slot("desk_rows") for one in plugged(member, at)]


def desk_of(member: Member, *, at: datetime, workspace: Workspace) -> tuple[list[Group], str]:
    """The groups of the desk in order, empty ones left out and nobody graded yet, and its stamp()."""
    waits = new_handoffs(member)
    many = Subquery(waits.order_by().values(one=Value(1)).annotate(many=Count("*")).values("many"))
    waiting = list(
        waits.select_related("lead")
        .only("card", "due_at", "promise_minutes", "opened_at", "began_at", *WITH_FACE)
        .annotate(many=many)[:MOST]
    )
    steps = list(Task.objects.on_desk_of(member).only("what", "due_at", "all_day", *WITH_FACE)[:MOST])
    planned = [Planned(task.due_at, task.lead, task.what, *_place(task, at)) for task in steps]
    plans = _others(member, at)
    beyond = waiting[0].many - len(waiting) if waiting else 0
    told, due = ([(one.pk, one.due_at) for one in found] for found in (waiting, steps))
    mark = _stamp(member, at, told, beyond, due, plans)
    planned += plans
    seen = {one.lead.pk for one in planned if not one.yields}
    rest = [lead for lead in with_nothing_planned(member)[: 3 * MOST] if lead.pk not in seen]
    first = [lead for lead in rest if lead.handed_at is not None][:MOST]
    why = _why(first)
    planned = [one for one in planned if not (one.yields and one.lead.pk in why)]
    seen = {*why, *(one.lead.pk for one in planned)}
    others = [lead for lead in rest if lead.pk not in seen][:MOST]

    groups = {
        name: Group(title)
        for name, title in (
            ("new", "New handoffs"), ("late", "Late"), ("today", "Today"), ("tomorrow", "Tomorrow"),
            ("later", "Later"), ("others", "Without a next step"),
        )
    }  # fmt: skip
    groups["new"].beyond = beyond
    for one in waiting:
        left = minutes_left(one, at=at, workspace=workspace)
        groups["new"].rows.append(Row(one.lead, _since(one) + one.card["why"], left=left, promise=one.promise_minutes))
    for lead in first:
        said, due_at = why[lead.pk]
        late = due_at is not None and due_at < at
        groups["late" if late else "today"].rows.append(Row(lead, f"Call first: {said}", when=_by(due_at, at)))
    for one in sorted(planned, key=lambda one: one.due_at):
        groups[one.group].rows.append(Row(one.lead, one.what, when=one.when))
    for lead in others:
        groups["others"].rows.append(Row(lead, "Nothing is planned: call, or say what is next"))
    return [group for group in groups.values() if group.rows], mark


def _since(one: Handoff) -> str:
    """Since when they wait who were offered to somebody else before; a blank for whoever comes now."""
    return f"Waits since {when(one.began_at)}. " if one.is_passed else ""


def grade(rows: Sequence[Row], *, at: datetime) -> None:
    """Write both scores beside each row."""
    grades = grades_of([row.lead.pk for row in rows], at=at)
    for row in rows:
        row.grade = grades.get(row.lead.pk, UNKNOWN)


def _by(due_at: datetime | None, at: datetime) -> str:
    """By when somebody is to be spoken to who never was."""
    if due_at is None:
        return "Now"
    if calendar_day(due_at) == calendar_day(at):
        return f"Since {clock_time(due_at)}" if due_at < at else f"By {clock_time(due_at)}"
    # Whoever is new is called today, also where more time was promised.
    return f"Since {day(due_at)}" if due_at < at else f"Promised by {day(due_at)}"


def _place(task: Task, at: datetime) -> tuple[str, str]:
    on, today = calendar_day(task.due_at), calendar_day(at)
    hour = "" if task.all_day else clock_time(task.due_at)
    if on < today or task.due_at < at:
        return "late", f"{day(task.due_at)} {hour}".strip() if on < today else f"Since {hour}"
    if on == today:
        return "today", hour or "Today"
    if on == today + timedelta(days=1):
        return "tomorrow", hour or "Tomorrow"
    return "later", f"{day(task.due_at)} {hour}".strip()


def count(groups: list[Group], *titles: str) -> int:
    """How many things stand under these headings."""
    return sum(group.number for group in groups if group.title in titles)
