"""What a timeline says of qualifying, deals, demos and quotes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from funnel.leads.stages import Stage
from funnel.mail.models import Message, MessageState
from funnel.outbox.models import Event
from funnel.templatetags.words import day_time, long_day, money, shortened

# What people type is no longer than this; only programs send more.
MOST = 5000
Told = tuple[SafeString | str, list[SafeString | str]]
# The stages of deals that a lead has too are called alike.
STAGES = {**dict(Stage.choices), "won": "Won", "lost": "Lost"}
MET = {"met": "is met", "not_met": "is not met", "unknown": "is not known"}
# How a letter that has not gone is spoken of, by its state.
WAITS = ("{} is sending {}", "the letter to <bdi>{}</bdi> waits to go")
LETTERS: dict[str, tuple[str, str]] = {
    MessageState.QUEUED: WAITS,
    MessageState.SENDING: WAITS,
    MessageState.FAILED: ("{} tried to send {}", "the letter to <bdi>{}</bdi> did not go"),
    MessageState.UNKNOWN: ("{} sent {}", "whether the letter to <bdi>{}</bdi> went is in doubt"),
}
WORDS = {"title": "title", "amount": "amount", "currency": "currency", "holder": "with whom"}


def quoted(text: Any) -> SafeString | str:
    """Somebody's own words; blank for none."""
    return format_html("“<bdi>{}</bdi>”", shortened(str(text), MOST)) if text else ""


def _worth(event: Event) -> str:
    amount, currency = event.data.get("amount"), event.data.get("currency")
    return money(amount, currency, exact=True) if amount is not None and currency else ""


def _title(event: Event) -> SafeString:
    return format_html("<bdi>{}</bdi>", event.data.get("title", ""))


def _opened(event: Event, who: SafeString) -> Told:
    worth = _worth(event)
    if event.data.get("by_lead"):
        return format_html("A deal was opened, because the lead booked a demo: {}", _title(event)), [worth]
    what = format_html("{} opened a deal: {}", who, _title(event))
    stage = event.data.get("stage", "")
    return what, [worth, "" if stage == Stage.QUALIFIED else f"It began as {STAGES.get(stage, stage).lower()}"]


def _moved(event: Event, who: SafeString) -> Told:
    to = event.data.get("to", "")
    if to in ("won", "lost"):
        return format_html("Deal {}: {}", to, _title(event)), []
    if event.actor is None and to == Stage.DEMO:
        # The lead booked a demo, or who moved it is gone.
        return format_html("The deal {} went on to {}", _title(event), STAGES[to]), []
    return format_html("{} moved the deal {} to {}", who, _title(event), STAGES.get(to, to)), []


def _edited(event: Event, who: SafeString) -> Told:
    names = ", ".join(WORDS.get(name, name) for name in event.data.get("was", {}))
    return format_html("{} changed {} of the deal {}", who, names, _title(event)), []


def _won(event: Event, who: SafeString) -> Told:
    return format_html("{} won the deal {}: {}", who, _title(event), _worth(event)), [quoted(event.data.get("reason"))]


def _lost(event: Event, who: SafeString) -> Told:
    until = event.data.get("until")
    back = ""
    if until:
        on = long_day(datetime.fromisoformat(until))
        back = f"To be called again on {on}" if event.data.get("promised") else f"May come back from {on}"
    rival = event.data.get("competitor")
    went = format_html("To <bdi>{}</bdi>", rival) if rival else ""
    what = format_html("{} lost the deal {}: {}", who, _title(event), event.data.get("reason", ""))
    return what, [went, quoted(event.data.get("note")), back]


def _reopened(event: Event, who: SafeString) -> Told:
    if event.actor is None:
        return format_html("The deal {} is open again, because the quote was accepted", _title(event)), []
    return format_html("{} took back that the deal {} was {}", who, _title(event), event.data.get("was", "")), []


def _demo(event: Event, who: SafeString) -> Told:
    """What became of a demo: booked by whom, for when, and what was said."""
    data = event.data
    does = {
        "demo_booked": "booked", "demo_moved": "moved", "demo_cancelled": "cancelled", "demo_held": "held",
        "demo_missed": "did not come to",
    }[event.kind]  # fmt: skip
    whom: SafeString | str = "The lead" if data.get("by_lead") or event.kind == "demo_missed" else who
    what = format_html("{} {} “<bdi>{}</bdi>”", whom, does, data.get("title", ""))
    starts = datetime.fromisoformat(data["starts"]) if data.get("starts") else None
    on = format_html("{}, with <bdi>{}</bdi>", day_time(starts), data.get("with", "")) if starts else ""
    said = data.get("reason") or data.get("note")
    return what, [on, quoted(said)]


def _answered(event: Event, who: SafeString) -> Told:
    told: list[SafeString | str] = []
    for one in event.data.get("answers", {}).values():
        words = format_html(": {}", quoted(one["note"])) if one.get("note") else ""
        told.append(format_html("{} {}{}", one.get("label", ""), MET.get(one.get("met"), ""), words))
    return format_html("{} noted answers", who), told


def _qualified(event: Event, who: SafeString) -> Told:
    if why := event.data.get("overruled"):
        lacks = ", ".join(event.data.get("missing", ()))
        return format_html("{} said qualified all the same", who), [quoted(why), lacks.capitalize()]
    return format_html("{} said qualified", who), []


def _quote(event: Event) -> SafeString:
    number = event.data.get("number", 1)
    version = f", version {number}" if number > 1 else ""
    return format_html("{}{}: <bdi>{}</bdi>", event.data.get("name", "the quote"), version, event.data.get("title", ""))


def _net(event: Event) -> str:
    net, currency = event.data.get("net"), event.data.get("currency")
    return f"{money(net, currency, exact=True)} net" if net is not None and currency else ""


def _quote_sent(event: Event, who: SafeString) -> Told:
    """What became of a quote that went out; its letter may still wait, or never have gone."""
    to = event.data.get("to")
    does, how = LETTERS.get(getattr(event, "letter", ""), ("{} sent {}", "to <bdi>{}</bdi>"))
    how = format_html(how, to) if to else "by a link"
    return format_html(does, who, _quote(event)), [format_html("{}, {}", _net(event), how)]


def _quote_asked(event: Event, who: SafeString) -> Told:
    return format_html("Asked about {}", _quote(event)), [quoted(event.data.get("text"))]


def _quote_accepted(event: Event, who: SafeString) -> Told:
    signed = format_html("Signed by <bdi>{}</bdi>", event.data.get("signed", ""))
    return format_html("Accepted {}", _quote(event)), [_net(event), signed]


def _quote_declined(event: Event, who: SafeString) -> Told:
    says = event.data.get("says", "")
    return format_html("Declined {}", _quote(event)), [says, quoted(event.data.get("note"))]


def _quote_withdrawn(event: Event, who: SafeString) -> Told:
    return format_html("{} withdrew {}", who, _quote(event)), [_net(event)]


def _quote_ended(event: Event, who: SafeString) -> Told:
    return format_html("Ended without an answer: {}", _quote(event)), [_net(event)]


TELLERS: dict[str, Callable[[Event, SafeString], Told]] = {
    "qualification_answered": _answered,
    "qualified": _qualified,
    "deal_opened": _opened,
    "deal_moved": _moved,
    "deal_edited": _edited,
    "deal_won": _won,
    "deal_lost": _lost,
    "deal_reopened": _reopened,
    **dict.fromkeys(("demo_booked", "demo_moved", "demo_cancelled", "demo_held", "demo_missed"), _demo),
    "quote_sent": _quote_sent,
    "quote_asked": _quote_asked,
    "quote_accepted": _quote_accepted,
    "quote_declined": _quote_declined,
    "quote_withdrawn": _quote_withdrawn,
    "quote_ended": _quote_ended,
}


def read_letters(events: Iterable[Event]) -> None:
    """Let each quote that went by a letter know what became of that."""
    posted = {one.pk: one for one in events if one.kind == "quote_sent" and one.data.get("to")}
    if posted:
        states = Message.objects.filter(event__in=list(posted), kind="quote").values_list("event", "state")
        for pk, state in states:
            posted[pk].letter = state  # type: ignore[attr-defined]


# What such an entry says already needs no entry of its own: the deal's move, and the lead's that follows from it.
SAYS_MORE = ("deal_opened", "deal_won", "deal_lost", "deal_reopened")


def follows(event: Event, at_once: dict[datetime, set[str]]) -> bool:
    """Whether the event only follows from another one of the same moment, which tells it."""
    kinds = at_once.get(event.occurred_at, set())
    if event.kind == "deal_edited":
        return "quote_sent" in kinds
    if event.kind == "deal_moved":
        return bool(kinds & {*SAYS_MORE, "quote_sent"})
    return event.kind == "moved" and bool(kinds & {*SAYS_MORE, "deal_moved"})
