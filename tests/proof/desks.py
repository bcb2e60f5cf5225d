"""What stands on somebody's desk, by the model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.proof.people import DAY, OPEN, SALES, Away, Demo, Person

# By heading, whom each row is about and what it says.
Desk = dict[str, list[tuple[UUID, str]]]


# What a row says, as the model says it.
SHORT = {
    "Call first": "Call first", "Nothing is planned": "Nothing is planned", "cancelled the demo of": "cancelled",
    "Did not come to the demo of": "missed",
}  # fmt: skip


def short(what: str) -> str:
    return next((word for part, word in SHORT.items() if part in what), what)


def desk(people: Iterable[Person], away: Iterable[Away], who: UUID, at: datetime, zone: ZoneInfo) -> Desk:
    """The offers, steps and silences of one member at a moment."""
    found: Desk = defaultdict(list)
    off = [(one.first, one.last) for one in away if one.who == who]
    for person in people:
        if person.offer and person.offer.to in (who, None):
            found["New handoffs"].append((person.pk, ""))
        sells = any(one.stage in OPEN and one.holder == who for one in person.sales)
        steps = [step for step in person.steps if step.holder == who and (sells or who == person.holder)]
        for step in steps:
            found[_heading(step.due, at, zone)].append((person.pk, step.what))
        demos = [demo for demo in person.demos if demo.holder == who and demo.state == "booked"]
        for demo in demos:
            if demo.ends <= at:
                found["Late"].append((person.pk, "How did it go? Meeting"))
            else:
                on = demo.starts.astimezone(zone).date()
                said = "Away that day: Meeting" if any(first <= on <= last for first, last in off) else "Meeting"
                found[_heading(max(demo.starts, at), at, zone)].append((person.pk, said))
        fallen = _fallen(person) if sells or (person.holder == who and person.stage in SALES) else None
        is_free = person.holder == who and person.stage in SALES and not (steps or demos)
        taken = [one for one in person.offers if one.outcome == "accepted" and not one.back]
        silent = [one for one in taken if all(moment < one.began_at for moment in person.spoken)]
        if is_free and silent:
            late = taken[-1].due["speak"] < at
            found["Late" if late else "Today"].append((person.pk, "Call first"))
        elif fallen is not None:
            found["Today"].append((person.pk, fallen.state))
        elif is_free:
            found["Without a next step"].append((person.pk, "Nothing is planned"))
    return {heading: sorted(rows) for heading, rows in found.items()}


def _fallen(person: Person) -> Demo | None:
    """The last demo of an open deal that was cancelled or missed, if nothing was planned or done since."""
    fell = [one for one in person.demos if one.decided and one.state in ("cancelled", "missed")]
    plans = [*person.steps, *(one for one in person.demos if one.state == "booked")]
    for demo in sorted(fell, key=lambda one: one.decided, reverse=True):
        since = min(demo.starts, demo.decided)
        answered = any(moment > since for moment in (*person.spoken, *person.served))
        if demo.sale.stage in OPEN and not answered and all(one.made <= since for one in plans):
            return demo
    return None


def _heading(due: datetime, at: datetime, zone: ZoneInfo) -> str:
    on, today = due.astimezone(zone).date(), at.astimezone(zone).date()
    if due < at:
        return "Late"
    return "Today" if on == today else "Tomorrow" if on == today + DAY else "Later"
