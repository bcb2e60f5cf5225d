"""The letter that the owner gets on Monday morning: how the month goes, what needs them, and what last week brought.

Each week is an event whose effects are due on its Monday; one writes the letters, another plans the week after. So
the moment stands in the database, and whatever rings twice, or late, finds it done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from funnel.handoff.models import Handoff, Outcome
from funnel.leads.models import Lead
from funnel.mail import actions as mail
from funnel.outbox.actions import record
from funnel.outbox.models import Effect, Event, State
from funnel.templatetags.words import long_day, number, plural, short_day
from funnel.workspaces.models import Member, Role, Workspace
from funnel.workspaces.months import begins_on
from funnel.workspaces.slots import slot

MORNING = time(7, 30)
# A worker that was away for longer doesn't tell what everybody has seen on the page since.
STALE = timedelta(days=3)
NAMED = 5


@dataclass(frozen=True)
class Week:
    """Seven days from a Monday on."""

    monday: date

    @property
    def before(self) -> Week:
        return Week(self.monday - timedelta(days=7))

    def within(self, column: str, workspace: Workspace) -> dict[str, datetime]:
        """The week as a filter of a column of moments."""
        return {
            f"{column}__gte": begins_on(self.monday, workspace),
            f"{column}__lt": begins_on(self.monday + timedelta(days=7), workspace),
        }

    @property
    def words(self) -> str:
        """Write "9 to 15 November", or "28 September to 4 October"."""
        last = self.monday + timedelta(days=6)
        first = f"{self.monday.day}" if self.monday.month == last.month else f"{self.monday.day} {self.monday:%B}"
        return f"{first} to {last.day} {last:%B}"


def start(workspace: Workspace, at: datetime, **_: Any) -> None:
    """Plan a new business's first letter. SLOTS["workspace_starts"]."""
    plan(workspace, at)


def plan(workspace: Workspace, at: datetime) -> None:
    """Let the next Monday morning on the business's clock be a letter's, unless one is planned already."""
    if Effect.objects.filter(handler="weekly", state=State.DUE, due_at__gt=at).exists():
        return
    moment = next_morning(workspace, at)
    due = dict.fromkeys(settings.EVENT_ROUTES.get("week_planned", ()), moment)
    record(workspace.pk, "week_planned", at=at, data={"monday": workspace.local(moment).date().isoformat()}, due=due)


def next_morning(workspace: Workspace, at: datetime) -> datetime:
    """The next Monday's half past seven."""
    today = workspace.local(at).date()
    monday = today - timedelta(days=today.weekday())
    while (moment := datetime.combine(monday, MORNING, workspace.zone)) <= at:
        monday += timedelta(days=7)
    return moment.astimezone(at.tzinfo)


def plan_next(effects: list[Effect], at: datetime) -> None:
    """The week has come: plan the one after."""
    plan(Workspace.objects.get(pk=effects[0].workspace_id), at)


def write_letters(effects: list[Effect], at: datetime) -> None:
    """Write the week's letter to every owner."""
    workspace = Workspace.objects.get(pk=effects[0].workspace_id)
    for event in Event.objects.filter(pk__in=[one.event_id for one in effects]).order_by("id"):
        monday = date.fromisoformat(event.data["monday"])
        if at > datetime.combine(monday, MORNING, workspace.zone) + STALE:
            continue
        context = compose(workspace, Week(monday - timedelta(days=7)), at=at)
        owners = Member.objects.active().filter(role=Role.OWNER).select_related("user").order_by("joined_at")
        for owner in owners:
            mail.queue("weekly", to=owner, event=event, at=at, context=context)


def compose(workspace: Workspace, week: Week, *, at: datetime) -> dict[str, Any]:
    """What the letter says of a week, in words: the parts of the house in the order of the slot."""
    with timezone.override(workspace.zone):
        parts = [part(workspace, week, at) for part in slot("weekly")]
        heads = [part["head"] for part in parts if part.get("head")]
        needs = [need for part in parts for need in part.get("needs", [])]
        tail = next((part["tail"] for part in parts if part.get("tail")), "")
        return {
            "on_day": long_day(at),
            "head": heads[-1] + (f", and {tail}" if tail else ""),
            "say": next((part["say"] for part in reversed(parts) if part.get("say")), ""),
            "sub": " ".join(part["sub"] for part in reversed(parts) if part.get("sub")),
            "needs": needs,
            "week": week.words,
            "rows": [row for part in parts for row in part.get("rows", [])],
            "won": next((part["won"] for part in parts if part.get("won")), None),
            "path": "/",
        }


def of_the_hall(workspace: Workspace, week: Week, at: datetime) -> dict[str, Any]:
    """How many came, were ready and were taken, and who waits. SLOTS["weekly"]."""
    came, before = (Lead.objects.filter(**one.within("received_at", workspace)).count() for one in (week, week.before))
    ready, earlier = (Lead.objects.filter(**one.within("ready_at", workspace)).count() for one in (week, week.before))
    taken = [_taken(one, workspace) for one in (week, week.before)]
    head = f"{plural(came, 'new lead')} last week, {number(ready)} ready for sales"
    return {
        "head": head,
        "say": f"{head}.",
        "needs": list(_waiting(week, workspace, at)),
        "rows": [
            ["New leads", number(came), number(before)],
            ["Ready for sales", number(ready), number(earlier)],
            ["Taken by a rep", *map(number, taken)],
        ],
    }


def _taken(week: Week, workspace: Workspace) -> int:
    rows = Handoff.objects.filter(outcome=Outcome.ACCEPTED, **week.within("closed_at", workspace))
    return rows.values("lead").distinct().count()


def _waiting(week: Week, workspace: Workspace, at: datetime) -> Iterable[dict[str, Any]]:
    late = Handoff.objects.too_long(at).with_lead().order_by("due_at", "id")
    if many := late.count():
        names = ", ".join(str(one.lead) for one in late[:NAMED])
        rest = f" and {number(many - NAMED)} more" if many > NAMED else ""
        yield {
            "what": f"{plural(many, 'lead')} {'waits' if many == 1 else 'wait'} too long.",
            "more": [f"{names}{rest}."],
        }
    if many := Lead.objects.filter(waits_since__isnull=False).count():
        words = f"{plural(many, 'lead')} {'is' if many == 1 else 'are'} ready and {'waits' if many == 1 else 'wait'}"
        yield {"what": f"{words} for your go.", "more": ["Sales hears of them when you say so."]}
    back = Handoff.objects.filter(**week.within("given_back_at", workspace))
    if many := back.count():
        told = back.select_related("lead", "reason", "closed_by__user").order_by("-given_back_at", "-id")[:NAMED]
        yield {"what": f"{plural(many, 'lead')} came back.", "more": [_back(one, at) for one in told]}
    if many := Effect.objects.filter(state=State.STUCK).count():
        yield {
            "what": f"{plural(many, 'piece')} of work {'is' if many == 1 else 'are'} stuck.",
            "more": ["Nothing is lost."],
        }


def _back(one: Handoff, at: datetime) -> str:
    who = one.closed_by.first_name if one.closed_by else "Sales"
    said = f"“{one.note}”" if one.note else f"{one.reason.name}." if one.reason else ""
    until = one.lead.cool_until
    then = f" With marketing until {short_day(until)}." if until and until > at else ""
    return f"{one.lead}: {who}: {said}{then}" if said else f"{one.lead}.{then}"
