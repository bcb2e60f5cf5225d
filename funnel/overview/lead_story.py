"""The timeline of a lead: what happened, in words, with the side the lead was on at that time."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from itertools import groupby
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.html import format_html
from django.utils.safestring import SafeString

from funnel.handoff.card import says
from funnel.handoff.wayback import promise
from funnel.leads import known
from funnel.leads.models import Lead, Source
from funnel.leads.stages import Stage, side_of
from funnel.outbox.kinds import HIDDEN, KINDS, TOUCHES
from funnel.outbox.models import Event
from funnel.overview import deal_story
from funnel.overview.deal_story import Told, quoted
from funnel.templatetags.words import clock_time, day, local, short_day
from funnel.workspaces.asking import Asked

PAGE = 60
# The timeline's filters: the group of a kind, and its word.
GROUPS = (
    ("forms", "Forms"), ("calls", "Calls"), ("mail", "Mail"), ("pages", "Pages"),
    ("notes", "Notes"), ("handoffs", "Handoffs"), ("deals", "Deals"),
)  # fmt: skip
# Where the baton changes hands.
PASSES = ("handoff_opened", "handoff_accepted", "handoff_given_back", "passed_on", "brought_back")
# What an event holds of which the page speaks elsewhere too.
MARKS = ("differs", "promise", "route")
# A voiding is told at the entry that it takes back.
UNTOLD = (*HIDDEN, "voided")
WORDS = {"name": "name", "email": "e-mail", "phone": "phone", "company_name": "company", "external_id": "external id"}


def is_mark(event: Event) -> bool:
    """Whether the page says something of this event outside the timeline, however old it is."""
    return event.kind == "moved" or any(one in event.data for one in MARKS)


def events_of(lead: Lead) -> list[Event]:
    """The timeline's latest PAGE + 1 entries and every mark of a lead, latest first.

    They are read once for this instance of the lead, in one query, whichever panels ask.
    """
    return known.of(lead, EVENTS, keep=True)


def _told_of(lead: UUID) -> Any:
    own = Event.objects.filter(lead__in=[lead])
    latest = own.exclude(kind__in=UNTOLD).order_by("-occurred_at", "-id").values("pk")[: PAGE + 1]
    marks = reduce(or_, (Q(data__has_key=one) for one in MARKS), Q(kind="moved"))
    return own.filter(marks | Q(pk__in=latest)).timeline()


EVENTS = Asked(_told_of, UUID)


@dataclass(slots=True)
class Entry:
    """One entry as the page shows it."""

    event: Event
    side: str
    what: SafeString | str
    sub: list[SafeString | str] = field(default_factory=list)
    is_pass: bool = False
    may_void: bool = False
    is_void: bool = False


def source_words(source: Source | None) -> str:
    """Where a touch came from, in words; blank where nobody knows."""
    if source is None or not source.is_known:
        return ""
    channel = source.channel.replace("_", " ")
    return " · ".join(part for part in (channel[:1].upper() + channel[1:], source.campaign, source.placement) if part)


class Way:
    """Through which stages a lead went, read from its moves."""

    def __init__(self, begun: datetime, moves: Sequence[Event]) -> None:
        self.steps: list[tuple[datetime, str]] = [(begun, Stage.NEW)]
        self.steps += [(one.occurred_at, str(one.data.get("to", ""))) for one in moves]
        self.moments = [moment for moment, _ in self.steps]

    def side_at(self, moment: datetime) -> str:
        """The side that had the lead at a moment; before its first step marketing's."""
        return side_of(self.steps[max(bisect_right(self.moments, moment) - 1, 0)][1])


def kinds_of(group: str) -> list[str]:
    """The kinds that a filter of the timeline shows."""
    return [name for name, kind in KINDS.items() if kind.group == group and name not in UNTOLD]


def entries(events: Sequence[Event], way: Way, *, may_void: bool) -> list[Entry]:
    """Tell the events, latest first; a move that only follows from a handoff's or a deal's entry is left out."""
    at_once: dict[datetime, set[str]] = defaultdict(set)
    for one in events:
        at_once[one.occurred_at].add(one.kind)
    deal_story.read_letters(events)
    told = []
    for one in events:
        if one.kind == "moved" and at_once[one.occurred_at] & set(PASSES):
            continue
        if deal_story.follows(one, at_once):
            continue
        what, sub = _tell(one)
        entry = Entry(one, way.side_at(one.occurred_at), what, sub, is_pass=one.kind in PASSES)
        voided = getattr(one, "voided_by", None)
        if voided is not None:
            entry.is_void = True
            by = voided.actor.name if voided.actor else "A program"
            # An undo is asked for no reason.
            why = f": {reason}" if (reason := voided.data.get("reason")) else ""
            entry.sub.append(format_html("Taken back by <bdi>{}</bdi>, {}{}", by, short_day(voided.recorded_at), why))
        entry.may_void = may_void and voided is None and (one.kind not in KINDS or one.kind in (*TOUCHES, "received"))
        told.append(entry)
    return told


def by_month(told: Sequence[Entry]) -> list[dict[str, Any]]:
    """Group entries by month; the latest month stands open."""
    months = []
    for title, group in groupby(told, key=lambda one: f"{local(one.event.occurred_at):%B %Y}"):
        months.append({"title": title, "entries": list(group)})
    return months


# ── what each kind says ──────────────────────────────────────────────────


def _tell(event: Event) -> Told:
    what, sub = TELLERS.get(event.kind, _touch)(event, _who(event))
    if source := source_words(event.source):
        sub.append(format_html("<bdi>{}</bdi>", source))
    return what, [line for line in sub if line]


def _who(event: Event) -> SafeString:
    return format_html("<bdi>{}</bdi>", event.actor.first_name if event.actor else "Baton")


def _words(event: Event) -> SafeString | str:
    return quoted(event.data.get("note") or event.data.get("text") or event.data.get("message"))


def _touch(event: Event, who: SafeString) -> Told:
    return says(event), [_words(event)]


def _received(event: Event, who: SafeString) -> Told:
    new = "Came in" if event.data.get("new") else "Came in again"
    return (format_html("{}, added by {}", new, who) if event.actor else new), [_words(event)]


def _call(event: Event, who: SafeString) -> Told:
    outcome = str(event.data.get("says") or event.data.get("outcome") or "").replace("_", " ").lower()
    what = format_html("{} called: {}", who, outcome) if outcome else format_html("{} called", who)
    return what, [_words(event)]


def _note(event: Event, who: SafeString) -> Told:
    return format_html("Note by {}", who), [_words(event)]


def _due(step: dict[str, Any]) -> str:
    due = datetime.fromisoformat(step["due"]) if step.get("due") else None
    return "" if due is None else day(due) if step.get("all_day") else f"{day(due)}, {clock_time(due)}"


def _step(event: Event, who: SafeString) -> Told:
    return format_html("{} set a next step: <bdi>{}</bdi>", who, event.data.get("what", "")), [_due(event.data)]


def _step_moved(event: Event, who: SafeString) -> Told:
    what = format_html("{} moved a next step: <bdi>{}</bdi>", who, event.data.get("what", ""))
    return what, [f"From {_due(event.data.get('was', {}))} to {_due(event.data)}"]


def _step_done(event: Event, who: SafeString) -> Told:
    return format_html("{} did: <bdi>{}</bdi>", who, event.data.get("what", "")), []


def _step_dropped(event: Event, who: SafeString) -> Told:
    what = format_html("A next step ended with that: <bdi>{}</bdi>", event.data.get("what", ""))
    return what, [f"It was planned for {_due(event.data)}"]


def _edited(event: Event, who: SafeString) -> Told:
    was = event.data.get("was", {})
    names = [WORDS.get(name, "own fields" if name == "fields" else name.replace("_", " ")) for name in was]
    before: list[SafeString | str] = [
        format_html("{} was “<bdi>{}</bdi>”", WORDS[name].capitalize(), value)
        for name, value in was.items()
        if value and name in WORDS
    ]
    return format_html("{} changed {}", who, ", ".join(names)), before


def _moved(event: Event, who: SafeString) -> Told:
    label = dict(Stage.choices).get(event.data.get("to", ""), "")
    return f"Moved to {label}", [event.data.get("because", "").capitalize()]


def _opened(event: Event, who: SafeString) -> Told:
    to = event.data.get("to")
    what = format_html("Handed over to <bdi>{}</bdi>", to) if to else "Handed over to the pool"
    return what, [format_html("<bdi>{}</bdi>", event.data.get("why", "")), event.data.get("says", "")]


def _accepted(event: Event, who: SafeString) -> Told:
    return format_html("{} took the lead", who), []


def _given_back(event: Event, who: SafeString) -> Told:
    until, kept = event.data.get("until"), "date" if event.data.get("promised") else "judged"
    back = promise(event.data.get("way") or {"way": kept}, datetime.fromisoformat(until)) if until else ""
    return format_html("{} gave the lead back: {}", who, event.data.get("reason", "")), [_words(event), back]


def _rerouted(event: Event, who: SafeString) -> Told:
    before = event.data.get("from") or "the pool"
    if event.actor:
        return format_html("{} passed the handoff on from <bdi>{}</bdi>", who, before), _because(event)
    return format_html("Not taken in time by <bdi>{}</bdi>, passed on", before), []


def _late(event: Event, who: SafeString) -> Told:
    waits = event.data.get("with")
    return (format_html("Late with <bdi>{}</bdi>", waits) if waits else "Late in the pool"), ["The managers were told"]


def _passed(event: Event, who: SafeString) -> Told:
    was, now = event.data.get("from") or "nobody", event.data.get("to", "")
    return format_html("{} passed the lead from <bdi>{}</bdi> to <bdi>{}</bdi>", who, was, now), [
        *_because(event),
        event.data.get("route", {}).get("says", ""),
    ]


def _because(event: Event) -> list[str]:
    because = event.data.get("because", "")
    return [format_html("<bdi>{}</bdi>", because)] if because else []


def _brought_back(event: Event, who: SafeString) -> Told:
    to = event.data.get("to")
    went = format_html("to <bdi>{}</bdi>", to) if to else "to marketing"
    return format_html("{} brought the lead back {}", who, went), []


def _asked(event: Event, who: SafeString) -> Told:
    return format_html("{} asked marketing", who), [_words(event)]


def _answered(event: Event, who: SafeString) -> Told:
    return format_html("{} answered sales", who), [_words(event)]


def _mails(event: Event, who: SafeString) -> Told:
    """What became of the nurture mails, in the words that came with it."""
    said = event.data.get("subject") or event.data.get("says") or event.data.get("why") or event.data.get("because")
    return KINDS[event.kind].label, [format_html("<bdi>{}</bdi>", said)] if said else []


def _no_more_mail(event: Event, who: SafeString) -> Told:
    """They said so by the link in a mail, or to one of us."""
    return (format_html("{} says that they want no more mail", who) if event.actor else KINDS[event.kind].label), []


def _mail_again(event: Event, who: SafeString) -> Told:
    """They said so by the link in a mail, or one of us undid what was said for them."""
    undone = format_html("{} took back that they want no more mail", who)
    return (undone if event.actor else KINDS[event.kind].label), []


def _clicked(event: Event, who: SafeString) -> Told:
    said = (event.data.get("mail"), event.data.get("link"))
    return says(event), [format_html("<bdi>{}</bdi>", one) for one in said if one]


TELLERS: dict[str, Callable[[Event, SafeString], Told]] = {
    "received": _received,
    "call_made": _call,
    "note": _note,
    "next_step": _step,
    "next_step_moved": _step_moved,
    "next_step_done": _step_done,
    "next_step_dropped": _step_dropped,
    "edited": _edited,
    "moved": _moved,
    "handoff_opened": _opened,
    "handoff_accepted": _accepted,
    "handoff_given_back": _given_back,
    "handoff_rerouted": _rerouted,
    "handoff_escalated": _late,
    "passed_on": _passed,
    "brought_back": _brought_back,
    "marketing_asked": _asked,
    "marketing_answered": _answered,
    "email_click": _clicked,
    "unsubscribed": _no_more_mail,
    "subscribed_again": _mail_again,
    **dict.fromkeys(("nurture_started", "nurture_mailed", "nurture_ended", "nurture_left_out"), _mails),
    **deal_story.TELLERS,
}
