"""The way of a lead drawn in three legs: where it was, where it is and with whom, what is ahead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.html import format_html

from funnel.handoff.models import Handoff, Outcome
from funnel.leads.models import Lead
from funnel.leads.stages import ENDED, Stage
from funnel.overview.lead_story import Way
from funnel.templatetags.words import day, duration, short_day, span, when
from funnel.workspaces.hours import between
from funnel.workspaces.models import Member, Workspace

LEGS: tuple[tuple[str, tuple[Stage, ...]], ...] = (
    ("marketing", (Stage.NEW, Stage.NURTURING)),
    ("hall", (Stage.READY,)),
    ("sales", (Stage.WORKING, Stage.QUALIFIED, Stage.DEMO, Stage.NEGOTIATION, Stage.CUSTOMER)),
)
ORDER = [stage for _, stages in LEGS for stage in stages]
# Shown only where the lead was: not every business uses them.
OPTIONAL = (Stage.QUALIFIED, Stage.DEMO, Stage.NEGOTIATION)


def legs(
    lead: Lead, way: Way, handoffs: Sequence[Handoff], *, me: Member, at: datetime, workspace: Workspace
) -> list[dict[str, Any]]:
    """The three legs as components/way.html draws them."""
    here, reached = _position(lead, way)
    latest = {stage: moment for moment, stage in way.steps}
    drawn = []
    for side, stages in LEGS:
        stops: list[dict[str, Any]] = []
        for stage in stages:
            place = ORDER.index(stage)
            if stage in OPTIONAL and (stage not in latest or place > reached):
                continue
            state = "ahead" if place > reached else "now" if stage == here else "done" if stage in latest else "skipped"
            stops.append(
                {"label": stage.label, "state": state, "at": latest.get(stage) if state in ("done", "now") else None}
            )
            if place == reached and here not in ORDER:
                stops.append({"label": Stage(lead.stage).label, "state": "now", "at": way.steps[-1][0]})
        holder, note = _leg_words(side, lead, latest, handoffs, me, at, workspace)
        drawn.append(
            {
                "side": side,
                "stops": stops,
                "holder": holder,
                "note": note,
                "ahead": all(stop["state"] == "ahead" for stop in stops),
            }
        )
    return drawn


def _position(lead: Lead, way: Way) -> tuple[str, int]:
    """The stage now, and how far along the way the baton is drawn; an ended lead stands where it ended."""
    if lead.stage in ORDER:
        return lead.stage, ORDER.index(Stage(lead.stage))
    before = next((stage for _, stage in reversed(way.steps) if stage in ORDER), Stage.NEW)
    return lead.stage, ORDER.index(Stage(before))


def _leg_words(
    side: str,
    lead: Lead,
    latest: dict[str, datetime],
    handoffs: Sequence[Handoff],
    me: Member,
    at: datetime,
    workspace: Workspace,
) -> tuple[Any, str]:
    waiting = next((one for one in handoffs if one.is_open), None)
    if side == "marketing":
        if lead.stage == Stage.NURTURING and lead.cool_until and lead.cool_until > at:
            return "Marketing", f"until {day(lead.cool_until)}"
        if lead.stage in (Stage.NEW, Stage.NURTURING):
            return "Marketing", f"since {short_day(latest.get(lead.stage, lead.received_at))}"
        ready = latest.get(Stage.READY)
        return "Marketing", span(ready - lead.received_at) if ready and ready > lead.received_at else ""
    if side == "hall":
        if waiting is not None:
            return with_words(lead, waiting, me), f"by {when(waiting.due_at)}"
        taken = next((one for one in handoffs if one.outcome == Outcome.ACCEPTED and one.closed_at), None)
        if taken is None or taken.closed_at is None:
            return "Handoff", ""
        return "Handoff", duration(between(workspace, taken.opened_at, taken.closed_at))
    if lead.holder is None or (lead.stage in ENDED and lead.stage != Stage.CUSTOMER):
        return "Sales", ""
    since = latest.get(Stage.WORKING)
    return with_words(lead, None, me), f"since {when(since)}" if since else ""


def with_words(lead: Lead, waiting: Handoff | None, me: Member) -> Any:
    """Say with whom the lead is: "With Hannah", before that "Waits for Hannah" or "In the pool"."""
    if waiting is not None:
        if waiting.offered_to is None:
            return "In the pool"
        if waiting.offered_to_id == me.pk:
            return "Waits for you"
        return format_html("Waits for <bdi>{}</bdi>", waiting.offered_to.name)
    if lead.holder is not None:
        return "With you" if lead.holder_id == me.pk else format_html("With <bdi>{}</bdi>", lead.holder.name)
    # Whoever is lost goes on with marketing, as their list and the day on which they may come back say.
    return "With nobody" if lead.stage in (Stage.CUSTOMER, Stage.DISQUALIFIED) else "With marketing"
