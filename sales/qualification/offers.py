"""What forms, calls and notes have said already to each question, with where it was said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from funnel.leads.fields import fields_of
from funnel.leads.models import FieldDefinition, Lead
from funnel.outbox.kinds import KINDS
from funnel.outbox.models import Event
from funnel.overview.lead_story import events_of
from funnel.templatetags.words import short_day, shortened
from sales.qualification.models import Question

# So many words are shown for each question, and so much of them.
SHOWN, LONGEST = 3, 400
HEARD = ("form", "received", "contact_request", "call", "call_made", "meeting", "note", "visit", "promo_event")


@dataclass(frozen=True, slots=True)
class Offer:
    """Somebody's words that may answer a question."""

    words: str
    origin: str


def offers_for(lead: Lead, questions: Sequence[Question]) -> dict[str, list[Offer]]:
    """By the question's key, the latest first, out of the latest entries of the lead's timeline."""
    fields = fields_of(lead)
    events = [one for one in events_of(lead) if one.kind in HEARD and one.is_in_force]
    found: dict[str, list[Offer]] = {}
    for question in questions:
        told = [*_of_fields(lead, fields, question.hears), *_of_events(events, question.hears)]
        once = {one.words.casefold(): one for one in reversed(told)}
        found[question.key] = list(reversed(once.values()))[:SHOWN]
    return found


def _of_fields(lead: Lead, fields: dict[str, FieldDefinition], hears: dict[str, Any]) -> Iterator[Offer]:
    for name, value in lead.fields.items():
        known = fields.get(name)
        label = known.label if known else name.replace("_", " ")
        wanted = _holds(f"{name} {label}", hears.get("fields", ()))
        if value not in (None, "") and (wanted or (known is not None and known.kind in hears.get("kinds", ()))):
            says = {True: "Yes", False: "No"}.get(value, value) if isinstance(value, bool) else value
            yield Offer(shortened(f"{label}: {says}", LONGEST), "What we know of them")


def _of_events(events: Sequence[Event], hears: dict[str, Any]) -> Iterator[Offer]:
    for event in events:
        origin = _origin(event)
        for name in hears.get("data", ()):
            if (value := event.data.get(name)) and isinstance(value, str):
                yield Offer(shortened(" ".join(value.split()), LONGEST), origin)
        for name in ("message", "note", "text"):
            said = event.data.get(name)
            if isinstance(said, str) and name not in hears.get("data", ()):
                for sentence in re.split(r"(?<=[.!?])\s+|\n+", said):
                    if _holds(sentence, hears.get("words", ())):
                        yield Offer(shortened(" ".join(sentence.split()), LONGEST), origin)


def _holds(text: str, words: Sequence[str]) -> bool:
    """Whether the text holds one of the words, from where a word begins."""
    low = text.casefold()
    return any(re.search(rf"(?<!\w){re.escape(word.casefold())}", low) for word in words)


def _origin(event: Event) -> str:
    day = short_day(event.occurred_at)
    if form := event.data.get("form"):
        return f"Form “{form}”, {day}"
    kind = KINDS.get(event.kind)
    what = "Call" if event.kind in ("call", "call_made") else kind.label if kind else event.kind
    return f"{what} by {event.actor.first_name}, {day}" if event.actor else f"{what}, {day}"
