"""Decide what follows from a score: ready or not, now or when somebody says so (design.md, Handoff)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from uuid import UUID

from funnel.handoff.actions import open_for
from funnel.handoff.card import WhyNow, asks, touches_of
from funnel.handoff.wayback import allows, brings_back
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.outbox.actions import record_all
from funnel.outbox.models import Event
from funnel.scoring import actions as scoring
from funnel.scoring.models import Basis, LeadScore
from funnel.workspaces.models import Workspace
from funnel.workspaces.slots import slot

# What happened longer ago than this is past and never opens a handoff by itself.
PAST = timedelta(hours=24)
# What people here do to a lead's entry; it changes the score, but the lead did nothing.
OURS = ("voided", "edited", "brought_back")
# By these somebody turns to us, unlike by a page that they open; a customer's rep hears of it.
SPOKE = ("form", "call", "email_reply")


def is_live(event: Event) -> bool:
    """Whether an event may open a handoff by itself: fresh, and not told to hold back; a batch only with a go."""
    if event.kind == "received_batch":
        return bool(event.data.get("go")) and not _ended(event)
    return (
        event.recorded_at - event.occurred_at <= PAST
        and event.data.get("handover") is not False
        and event.kind not in OURS
    )


def _ended(event: Event) -> bool:
    """Whether a list tells by this of somebody with whom it ended, which is nothing that they did."""
    return event.kind == "received_batch" and bool(event.data.get("ended"))


class _Verdicts:
    """The leads of one batch by what becomes of them."""

    def __init__(self) -> None:
        self.open: dict[UUID, Lead] = {}
        self.asked: set[UUID] = set()
        self.wait: list[Lead] = []
        self.nurture: list[Lead] = []
        self.again: list[tuple[Lead, str]] = []


def score_and_judge(
    leads: dict[UUID, Lead],
    events: Sequence[Event],
    *,
    workspace: Workspace,
    at: datetime,
    new: Set[UUID] = frozenset(),
) -> dict[UUID, LeadScore]:
    """Score locked leads, or `new` ones of this transaction, by these events, and act on what comes out.

    Gives their scores on the basis in force. Whoever calls it took `scoring.hold` before the first lead: the filler of
    a basis asks for the two in that order. Events that are not kept, like one lead's share of a batch, are judged but
    earn nothing.
    """
    every = scoring.bases()
    kept = [event for event in events if event.pk]
    scores = scoring.score(leads, kept, workspace=workspace, every=every, new=new)
    judge(leads, scores, events, basis=every[0], workspace=workspace, at=at, new=new)
    return scores


def judge(
    leads: Mapping[UUID, Lead],
    scores: Mapping[UUID, LeadScore],
    events: Sequence[Event],
    *,
    basis: Basis,
    workspace: Workspace,
    at: datetime,
    new: Set[UUID] = frozenset(),
) -> None:
    """Act on freshly scored, locked leads: open handoffs, let them wait for a go, or leave them with marketing.

    Of `new` ones, made in this transaction, kept events are all that there is.
    """
    by_lead: dict[UUID, list[Event]] = defaultdict(list)
    for event in events:
        if event.lead_id:
            by_lead[event.lead_id].append(event)
    found = _Verdicts()
    cuts = basis.cuts(at)
    customers = [lead.pk for lead in leads.values() if lead.stage == Stage.CUSTOMER and lead.holder_id]
    busy = {pk for plugged in slot("busy_with") for pk in plugged(customers)} if customers else set()
    for lead in leads.values():
        score = scores[lead.pk]
        band = 1 + sum(score.total >= cut for cut in cuts)
        done = by_lead[lead.pk]
        ready = basis.is_ready(score.fit_band, band)
        if lead.way_back:
            kinds = {event.kind for event in done}
            ready = allows(lead.way_back, ready=ready, engagement=basis.now(score.total, at), kinds=kinds)
        _one(lead, done, ready, lead.pk in busy, found, at)
    told = {pk: by_lead[pk] for pk in found.open if pk in new and all(event.pk for event in by_lead[pk])}
    _carry_out(found, scores, basis, workspace, at, told)


def _one(lead: Lead, events: Sequence[Event], ready: bool, busy: bool, found: _Verdicts, at: datetime) -> None:
    live = [event for event in events if is_live(event)]
    asked = any(asks(event) for event in live)
    touched = any(event.kind not in OURS and not _ended(event) for event in events)
    if lead.stage == Stage.DISQUALIFIED:
        if touched:
            found.again.append((lead, "came_back"))
    elif lead.stage in SALES or busy:
        if asked:
            found.again.append((lead, "asked_again"))
    elif lead.stage == Stage.CUSTOMER:
        if asked:
            found.open[lead.pk] = lead
            found.asked.add(lead.pk)
        elif any(event.kind in SPOKE and event.actor_id != lead.holder_id for event in live):
            found.again.append((lead, "came_again"))
    elif lead.stage != Stage.READY:
        cooling = lead.cool_until is not None and lead.cool_until > at
        if asked:
            found.open[lead.pk] = lead
            found.asked.add(lead.pk)
        elif live and not cooling and (ready or lead.waits_since):
            found.open[lead.pk] = lead
        elif ready and not cooling and not lead.waits_since and (touched or (events and lead.stage != Stage.LOST)):
            found.wait.append(lead)
        elif lead.stage == Stage.NEW or (lead.stage == Stage.LOST and live and not cooling):
            found.nurture.append(lead)


def _carry_out(
    found: _Verdicts,
    scores: Mapping[UUID, LeadScore],
    basis: Basis,
    workspace: Workspace,
    at: datetime,
    told: Mapping[UUID, Sequence[Event]],
) -> None:
    if found.open:
        opening = list(found.open.values())
        touches, cuts = touches_of(opening, told), basis.cuts(at)
        why, now = {}, WhyNow(basis, workspace, at)
        for lead in opening:
            band = 1 + sum(scores[lead.pk].total >= cut for cut in cuts)
            why[lead.pk] = (
                now.asked(lead, touches[lead.pk])
                if lead.pk in found.asked
                else now.ready(lead, touches[lead.pk], fit_band=scores[lead.pk].fit_band, engagement_band=band)
            )
            if lead.way_back and lead.pk not in found.asked:
                agreed = brings_back(lead.way_back)
                why[lead.pk] = f"{agreed[:1].upper()}{agreed[1:]}: {why[lead.pk]}"
        bands = {lead.pk: scores[lead.pk].fit_band for lead in opening}
        open_for(opening, why=why, workspace=workspace, at=at, touches=touches, bands=bands)
    if found.wait:
        ids = [lead.pk for lead in found.wait]
        Lead.objects.filter(pk__in=ids).exclude(stage=Stage.NURTURING).move(
            Stage.NURTURING, at=at, because="ready, waits for a go"
        )
        Lead.objects.filter(pk__in=ids).update(waits_since=at)
        record_all([_event(lead, "waits_for_go", workspace, at) for lead in found.wait])
    if found.nurture:
        Lead.objects.filter(pk__in=[lead.pk for lead in found.nurture]).move(
            Stage.NURTURING, at=at, because="not ready yet"
        )
    record_all([_event(lead, kind, workspace, at) for lead, kind in found.again])


def _event(lead: Lead, kind: str, workspace: Workspace, at: datetime) -> Event:
    return Event(
        workspace=workspace,
        lead=lead,
        kind=kind,
        occurred_at=at,
        recorded_at=at,
        data={"holder": str(lead.holder_id)} if lead.holder_id else {},
    )
