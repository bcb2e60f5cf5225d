"""The reason card: why now, what they touched, what they were promised, what to ask first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from funnel.leads.models import Lead
from funnel.outbox.kinds import KINDS, TOUCHES
from funnel.outbox.models import Event

SHOWN, MOST = 6, 50
SHOWN_KINDS = (*TOUCHES, "received")


def touches_of(leads: Sequence[Lead], told: Mapping[UUID, Sequence[Event]] | None = None) -> dict[UUID, list[Event]]:
    """What each lead did, latest first, without what was taken back.

    `told` holds all there is of leads that were made just now; nothing is read of them.
    """
    found: dict[UUID, list[Event]] = defaultdict(list)
    for lead_id, events in (told or {}).items():
        shown = [event for event in events if event.kind in SHOWN_KINDS]
        found[lead_id] = sorted(shown, key=lambda event: (event.occurred_at, event.pk), reverse=True)[:MOST]
    asked = [lead for lead in leads if lead.pk not in found]
    rows = (
        Event.objects.in_force()
        .filter(lead__in=asked, kind__in=SHOWN_KINDS)
        .select_related("source")
        .order_by("-occurred_at", "-id")
    )
    for event in rows if asked else ():
        if len(found[event.lead_id]) < MOST:
            found[event.lead_id].append(event)
    return found


def says(event: Event) -> str:
    """What somebody did, in words: “Sent the form “Free roof check””."""
    data = event.data
    if event.kind == "form" and data.get("form"):
        return f"Sent “{data['form']}”"
    if event.kind == "page_view" and (data.get("title") or data.get("page")):
        return f"Opened “{data.get('title') or data['page']}”"
    kind = KINDS.get(event.kind)
    return kind.label if kind else event.kind.replace("_", " ").capitalize()


def reason_card(lead: Lead, touches: Sequence[Event], *, why: str) -> dict[str, Any]:
    """The card as it is kept with the handoff; it doesn't change when later events do."""
    promised = list(dict.fromkeys(event.data["promise"] for event in touches if event.data.get("promise")))
    ask = [
        question
        for missing, question in (
            (not lead.name, "Who am I speaking with?"),
            (not lead.company_name, "Which company is it for?"),
            (not lead.phone, "Which number may I call?"),
            (not lead.email, "Where may I send it?"),
        )
        if missing
    ]
    wanted = [event.data["interest"] for event in touches if event.data.get("interest")]
    return {
        "why": why,
        "touched": [
            {
                "says": says(event),
                "at": event.occurred_at.isoformat(),
                "source": str(event.source) if event.source and event.source.channel != "unknown" else "",
                "words": str(event.data.get("message", ""))[:600],
            }
            for event in touches[:SHOWN]
        ],
        "promised": promised[:5],
        "ask": ([f"What would you like to know about {wanted[0]}?"] if wanted else []) + ask,
    }


def why_asked(touches: Sequence[Event]) -> str:
    """The sentence for somebody who asked for contact."""
    asked = next((event for event in touches if event.data.get("asks") or event.kind == "contact_request"), None)
    if asked is None:
        return "Asked to be contacted"
    words = f"Asked for contact with “{asked.data['form']}”" if asked.data.get("form") else "Asked to be contacted"
    return words + _origin(asked) + _before(touches)


def why_ready(touches: Sequence[Event], *, fit_band: str, engagement_band: int) -> str:
    """The sentence for somebody whose fit and engagement crossed the line."""
    live = [event for event in touches if event.kind != "received"]
    if not live:
        return f"Over the line: fit {fit_band}, engagement {engagement_band}"
    times = f", {_count(len(live))} in all" if len(live) > 1 else ""
    return f"{says(live[0])}{_origin(live[0])}{times}; fit {fit_band}, engagement {engagement_band}"


def _origin(event: Event) -> str:
    if event.source is None or (event.source.channel in ("unknown", "direct", "other") and not event.source.campaign):
        return ""
    named = event.source.campaign or event.source.channel.replace("_", " ")
    return f", from “{named}”" if event.source.campaign else f", from {named}"


def _before(touches: Sequence[Event]) -> str:
    earlier = len([event for event in touches if event.kind != "received"]) - 1
    return f", after {_count(earlier)} before" if earlier > 0 else ""


def _count(number: int) -> str:
    return "one touch" if number == 1 else f"{number} touches"
