"""What sales gave back or lost, in the words of the rep, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet

from funnel.handoff.models import Handoff, Outcome
from funnel.handoff.wayback import whereabouts
from funnel.leads.models import Lead
from funnel.outbox.models import Event
from funnel.overview.rows import channel_words
from funnel.templatetags.words import short_day

SHOWN = 10


@dataclass(slots=True)
class GivenBack:
    """One lead that came back: who said what about whom, and what follows."""

    lead: Lead
    words: str
    by: str
    at: datetime
    source: str
    at_once: bool
    reason: str
    then: str


def handoffs_back(since: datetime | None) -> QuerySet[Handoff]:
    """The handoffs given back whose leads were received in the period."""
    back = Handoff.objects.filter(given_back_at__isnull=False)
    return back.filter(lead__received_at__gte=since) if since else back


def latest_back(back: QuerySet[Handoff]) -> QuerySet[Handoff]:
    """The latest of them, with what is told of each."""
    rows = back.select_related("lead__source", "lead__holder__user", "closed_by__user", "reason")
    return rows.order_by("-given_back_at", "-id")[:SHOWN]


def told(back: Iterable[Handoff], *, at: datetime) -> list[GivenBack]:
    """Each with the rep's words."""
    return [_told(one, at) for one in back]


def reasons_back(back: QuerySet[Handoff]) -> QuerySet[Any]:
    """How often each reason was given; a lead counts once for a reason."""
    return back.order_by().values_list("reason__name").annotate(many=Count("lead", distinct=True))


def by_reason(counted: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Each reason by its name with how often it was given, the most frequent first."""
    return sorted(((name or "No reason", many) for name, many in counted), key=lambda row: (-row[1], row[0]))


@dataclass(slots=True)
class Lost:
    """One deal that sales lost: why, to whom, in whose words, and what follows."""

    lead: Lead
    words: str
    by: str
    at: datetime
    reason: str
    rival: str
    then: str


def losses(leads: QuerySet[Lead]) -> QuerySet[Event]:
    """The deals that were lost with these leads and not taken back since."""
    return Event.objects.in_force().filter(kind="deal_lost", lead__in=leads.order_by().values("pk"))


def latest_losses(lost: QuerySet[Event]) -> QuerySet[Event]:
    """The latest of them, with what is told of each."""
    return lost.select_related("lead", "actor__user").order_by("-occurred_at", "-id")[:SHOWN]


def told_losses(lost: Iterable[Event], *, at: datetime) -> list[Lost]:
    """Each with the rep's words."""
    return [
        Lost(
            lead=one.lead,
            words=one.data.get("note", ""),
            by=one.actor.first_name if one.actor else "Sales",
            at=one.occurred_at,
            reason=one.data.get("reason", ""),
            rival=one.data.get("competitor", ""),
            then=_after(one, at),
        )
        for one in lost
        if one.lead is not None
    ]


def _after(lost: Event, at: datetime) -> str:
    """Until when the lead is left alone, or that it is for good; blank once that is over."""
    if not lost.data.get("until"):
        return "Ended, unless they ask"
    until = datetime.fromisoformat(lost.data["until"])
    if until <= at:
        return ""
    return f"{'To be called again on' if lost.data.get('promised') else 'With marketing until'} {short_day(until)}"


def reasons_lost(lost: QuerySet[Event]) -> QuerySet[Any]:
    """How often each reason was given for a lost deal."""
    return lost.order_by().values_list("data__reason").annotate(many=Count("pk"))


def _told(one: Handoff, at: datetime) -> GivenBack:
    lead = one.lead
    source = " · ".join(part for part in (lead.source.campaign, channel_words(lead.source.channel)) if part)
    return GivenBack(
        lead=lead,
        words=one.note,
        by=one.closed_by.first_name if one.closed_by else "Sales",
        at=one.given_back_at or at,
        source=source,
        at_once=one.outcome == Outcome.GIVEN_BACK,
        reason=one.reason.name if one.reason else "",
        then=whereabouts(lead, at, short=True),
    )
