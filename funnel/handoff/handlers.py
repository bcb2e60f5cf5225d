"""What the worker does after an event: score and judge, and the handoff's clock. Each takes one workspace's batch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.card import words_in
from funnel.handoff.judging import is_live, score_and_judge
from funnel.handoff.models import Handoff
from funnel.handoff.passing import names
from funnel.handoff.routing import begins
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.mail import actions as mail
from funnel.outbox.actions import record_all
from funnel.outbox.drain import whole
from funnel.outbox.models import Effect, Event
from funnel.scoring.actions import hold
from funnel.workspaces.inserting import row_of
from funnel.workspaces.models import LEADERS, Member, Role, TimeOff, Workspace

Told = list[tuple[Event, Handoff]]


def _events(effects: list[Effect]) -> list[Event]:
    return list(
        Event.objects.filter(pk__in=[effect.event_id for effect in effects])
        .select_related("voids", "voided_by", "source")
        .order_by("id")
    )


def score(effects: list[Effect], at: datetime) -> None:
    """Score the leads of these events and judge them; one that was voided before its turn came earns nothing."""
    workspace = Workspace.objects.get(pk=effects[0].workspace_id)
    hold(workspace)
    for events in _rounds([event for event in _events(effects) if not hasattr(event, "voided_by")]):
        leads = Lead.objects.locked({event.lead_id for event in events if event.lead_id})
        score_and_judge(leads, events, workspace=workspace, at=at)


def _rounds(events: list[Event]) -> list[list[Event]]:
    """The events as if each had come alone: a lead's live and past ones are judged in turn, not as one.

    A batch's event stands for one event of each of its leads.
    """
    each: list[Event] = []
    for event in events:
        if event.kind == "received_batch":
            ended = set(event.data.get("ended", ()))
            each += [
                row_of(
                    Event,
                    lead_id=UUID(one),
                    kind=event.kind,
                    occurred_at=event.occurred_at,
                    recorded_at=event.recorded_at,
                    data={"go": event.data.get("go", False), "ended": one in ended},
                )
                for one in event.data["leads"]
            ]
        elif event.lead_id:
            each.append(event)
    rounds: list[list[Event]] = []
    last: dict[UUID | None, tuple[int, bool]] = {}
    for event in each:
        place, live = last.get(event.lead_id, (0, is_live(event)))
        if live != is_live(event):
            place += 1
        last[event.lead_id] = (place, is_live(event))
        if place == len(rounds):
            rounds.append([])
        rounds[place].append(event)
    return rounds


def _handoffs(effects: list[Effect]) -> Told:
    """The open handoffs that these events are about, with their event."""
    events = {UUID(event.data["handoff"]): event for event in _events(effects)}
    found = Handoff.objects.open().filter(pk__in=list(events)).with_lead().order_by("lead_id")
    return [(events[one.pk], one) for one in found]


@whole
def notify(effects: list[Effect], at: datetime) -> None:
    """Tell the rep of a new handoff; a pool handoff is told to everybody who may take it, and to the leaders."""
    _tell("handoff", _offered(_handoffs(effects)), at)


@whole
def remind(effects: list[Effect], at: datetime) -> None:
    """At half time, remind who has the offer; then the end of the promise is due."""
    found = _handoffs(effects)
    _tell("handoff-reminder", _offered(found), at)
    _record("handoff_reminded", [(one, {}, one.due_at) for _, one in found], "escalate", at)


@whole
def escalate(effects: list[Effect], at: datetime) -> None:
    """At the end of the promise, tell the managers; a routed handoff goes on after half the promise again."""
    found = _handoffs(effects)
    Handoff.objects.filter(pk__in=[one.pk for _, one in found]).update(escalated_at=at)
    people = leaders(at, Workspace.objects.get(pk=effects[0].workspace_id))
    _tell("handoff-late", dict.fromkeys(people, found) if found else {}, at)
    late = [(one, {"with": one.offered_to.name if one.offered_to else ""}, one.reroute_at) for _, one in found]
    _record("handoff_escalated", late, "pass_on", at)


def _record(kind: str, told: list[tuple[Handoff, dict[str, str], datetime]], then: str, at: datetime) -> None:
    """Note of each handoff that its people were told, and when what comes then is due."""
    for moment in dict.fromkeys(max(due, at) for _, _, due in told):
        events = [
            Event(
                workspace_id=one.workspace_id, lead_id=one.lead_id, kind=kind, occurred_at=at, recorded_at=at,
                data={"handoff": str(one.pk), **says},
            )
            for one, says, due in told
            if max(due, at) == moment
        ]  # fmt: skip
        record_all(events, due={kind: {then: moment}})


def pass_on(effects: list[Effect], at: datetime) -> None:
    """Nobody decided: offer it to somebody untried, else to the pool. A pool handoff stays open and late."""
    workspace = Workspace.objects.get(pk=effects[0].workspace_id)
    passing.reroute([one for _, one in _handoffs(effects) if one.offered_to_id], at=at, workspace=workspace)


def day_off(effects: list[Effect], at: datetime) -> None:
    """A working day begins on which whoever has an offer doesn't work: it goes on, as when time off begins."""
    workspace = Workspace.objects.get(pk=effects[0].workspace_id)
    today = begins(workspace, at)
    waiting: dict[Member, list[Handoff]] = {}
    for _, one in _handoffs(effects):
        if one.offered_to is not None and not one.offered_to.works_on(today):
            waiting.setdefault(one.offered_to, []).append(one)
    Lead.objects.locked([one.lead_id for theirs in waiting.values() for one in theirs])
    for member, theirs in waiting.items():
        passing.reroute(theirs, by=member, reason=f"Doesn’t work on {today:%A}s", at=at, workspace=workspace)


def cool(effects: list[Effect], at: datetime) -> None:
    """A cool-down ends: a promised day opens a handoff whatever the score, any other judges the lead again.

    Of several that a lead had in turn the one that it is in counts, whichever of them comes first.
    """
    workspace = Workspace.objects.get(pk=effects[0].workspace_id)
    hold(workspace)
    told = [event for event in _events(effects) if event.lead_id and event.data["until"]]
    ends = {(event.lead_id, datetime.fromisoformat(event.data["until"])): event for event in told}
    leads, events = {}, {}
    for lead in Lead.objects.locked({event.lead_id for event in told}).values():
        until = lead.cool_until
        if until is None or until > at or lead.stage not in (Stage.NURTURING, Stage.LOST, Stage.CUSTOMER):
            continue
        if event := ends.get((lead.pk, until)):
            leads[lead.pk], events[lead.pk] = lead, event
    if not leads:
        return
    Lead.objects.filter(pk__in=list(leads)).update(cool_until=None)
    for lead in leads.values():
        lead.cool_until = None
    promised = [lead for lead in leads.values() if events[lead.pk].data.get("promised")]
    why = {
        lead.pk: f"The promised day has come. Given back as “{events[lead.pk].data['reason']}”"
        + (f": {events[lead.pk].data['note']}" if events[lead.pk].data.get("note") else "")
        for lead in promised
    }
    handoff.open_for(promised, why=why, workspace=workspace, at=at)
    rest = {pk: lead for pk, lead in leads.items() if lead not in promised}
    if rest:
        ended = [Event(lead_id=pk, kind="cooled", occurred_at=at, recorded_at=at) for pk in rest]
        score_and_judge(rest, ended, workspace=workspace, at=at)


def leaders(at: datetime, workspace: Workspace) -> list[Member]:
    """The managers who are here; without one the owners who are; if everybody is away, the managers, or the owners."""
    found = list(Member.objects.active().filter(role__in=LEADERS).select_related("user").order_by("joined_at"))
    today = begins(workspace, at)
    off = set(TimeOff.objects.on(today).values_list("member", flat=True))
    here = [one for one in found if one.pk not in off and one.works_on(today)]
    managers = [one for one in found if one.role == Role.MANAGER]
    return [one for one in managers if one in here] or here or managers or found


def _sellers() -> list[Member]:
    """Everybody who may take from the pool."""
    return list(
        Member.objects.active().filter(role__in=[Role.REP, *LEADERS]).select_related("user").order_by("joined_at")
    )


def _offered(found: Told) -> dict[Member, Told]:
    """To whom each of these is offered; what is in the pool, to everybody who may take it."""
    sellers = _sellers() if any(one.offered_to is None for _, one in found) else []
    got: dict[Member, Told] = {}
    for event, one in found:
        for person in [one.offered_to] if one.offered_to else sellers:
            got.setdefault(person, []).append((event, one))
    return got


def _tell(kind: str, got: Mapping[Member, Told], at: datetime) -> None:
    """Write to each of these people once, however many handoffs there are to tell of.

    A letter about several stands under the first one's event. What keeps each from being told of twice, where a worker
    that died leaves them to be told in other parts, are their effects: they end in the letter's own transaction.
    """
    for person, theirs in got.items():
        event, one = theirs[0]
        if len(theirs) > 1:
            mail.queue(f"{kind}-several", to=person, event=event, at=at, context=_about_several(kind, person, theirs))
        else:
            mail.queue(kind, to=person, event=event, lead_id=one.lead_id, at=at, context=_about(one))


def _about(one: Handoff) -> dict[str, Any]:
    return {
        "lead": str(one.lead),
        "company": one.lead.company_name,
        "why": one.card["why"],
        "passed": one.route.get("because", ""),
        "promised": one.card.get("promised", []),
        "ask": one.card.get("ask", []),
        "said": [said["words"] for said in words_in(one.card)],
        "due": one.due_at.isoformat(),
        "began": one.began_at.isoformat() if one.is_passed else "",
        "waits_for": one.offered_to.name if one.offered_to else "",
        "where": "for you" if one.offered_to else "in the pool",
        "path": f"/leads/{one.lead_id}/",
    }


def _about_several(kind: str, person: Member, theirs: Told) -> dict[str, Any]:
    """What a letter about several says: the first by their clock, each with whom it waits for and why."""
    handoffs = sorted((one for _, one in theirs), key=lambda one: one.due_at)
    about = names([one.lead for one in handoffs])
    for line, one in zip(about["leads"], handoffs, strict=False):
        whom = "you" if one.offered_to == person else one.offered_to.name if one.offered_to else ""
        line |= {
            "where": f"Waits for {whom}" if whom else "In the pool",
            "due": one.due_at.isoformat(),
            "began": one.began_at.isoformat() if one.is_passed else "",
            "why": " ".join(filter(None, (one.route.get("because"), one.card["why"]))),
        }
    kept = sum(one.offered_to is not None for one in handoffs)
    pool = len(handoffs) - kept
    where = f": {kept:,} for you, {pool:,} in the pool" if kept and pool else " for you" if kept else " in the pool"
    heads = {
        "handoff": f"{len(handoffs):,} new leads{where}",
        "handoff-reminder": f"{len(handoffs):,} leads still wait{where}",
        "handoff-late": f"{len(handoffs):,} leads are late",
    }
    late = kind == "handoff-late"
    return {"head": heads[kind], "kept": kept, "pool": pool, "late": late, "path": "/handoffs/", **about}
