"""Pass on what waits for somebody, or what somebody holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from funnel.handoff.actions import AlreadyTaken, NotYours, open_for, stays
from funnel.handoff.card import promises, touches_of
from funnel.handoff.models import Handoff, Outcome
from funnel.handoff.routing import Rotation, Route, fit_bands
from funnel.leads.models import Company, Lead
from funnel.leads.stages import SALES, Stage
from funnel.mail import actions as mail
from funnel.outbox.actions import record, record_all
from funnel.outbox.models import Event
from funnel.workspaces.models import SELLERS, Member, Workspace
from funnel.workspaces.refusals import Refusal

# A letter about several leads names so many of them.
NAMED = 20
WRITE_WHY = "Write why; whoever is next reads it."
MOST = 500


class NoReason(Refusal):
    """Whoever gets a lead that was passed on reads why, in a few words."""

    status = 422


class NobodyThere(Refusal):
    """Nobody could get the leads by rules or by turn."""


@transaction.atomic
def pass_on(
    handoff: Handoff,
    *,
    at: datetime,
    workspace: Workspace,
    by: Member | None = None,
    to: Member | None = None,
    reason: str = "",
) -> Handoff | None:
    """Offer an open handoff to somebody else: a named member, else somebody untried, else the pool.

    Without `by` the clock did it. None when it was decided meanwhile, or waits for that member already.
    """
    opened = reroute([handoff], by=by, to=to, reason=reason, at=at, workspace=workspace)
    return opened[0] if opened else None


@transaction.atomic
def pass_several(
    handoffs: Sequence[Handoff],
    *,
    reason: str,
    by: Member,
    at: datetime,
    workspace: Workspace,
    to: Member | None = None,
) -> list[Handoff]:
    """Offer open handoffs to a member, else to whoever is next and has not had them, for a reason that they read.

    Gives the new ones; what was decided meanwhile, or waits for that member already, stays. Raises NoReason, NotYours.
    """
    _decides(by, reason)
    return reroute(handoffs, by=by, to=to, reason=reason, at=at, workspace=workspace)


def _decides(by: Member, reason: str) -> None:
    if not by.leads_others:
        raise NotYours("Only an owner or a manager passes on what waits for others.")
    _says_why(reason)


def _says_why(reason: str) -> None:
    if not reason.strip():
        raise NoReason(WRITE_WHY, field="reason")
    if len(reason) > MOST:
        raise NoReason(f"Write at most {MOST} characters; these are {len(reason):,}.", field="reason")


def _takes(to: Member | None) -> None:
    if to is not None and (to.role not in SELLERS or not to.active):
        raise NotYours(f"{to.name} doesn’t take leads.")


@transaction.atomic
def reroute(
    handoffs: Sequence[Handoff],
    *,
    at: datetime,
    workspace: Workspace,
    by: Member | None = None,
    to: Member | None = None,
    reason: str = "",
) -> list[Handoff]:
    """Offer open handoffs to somebody else, as pass_on does with one, and tell whoever had them; gives the new ones."""
    reason = reason.strip()
    leads = Lead.objects.locked([one.lead_id for one in handoffs])
    _takes(to)
    found = Handoff.objects.open().filter(pk__in=[one.pk for one in handoffs]).select_related("offered_to__user")
    if to is not None:
        found = found.exclude(offered_to=to)
    waiting = {one.lead_id: one for one in found}
    outcome = Outcome.REROUTED if by else Outcome.EXPIRED
    Handoff.objects.filter(pk__in=[one.pk for one in waiting.values()]).update(outcome=outcome, closed_at=at)
    told = {"because": reason} if reason else {}
    events = [
        Event(
            workspace=workspace,
            lead_id=pk,
            kind="handoff_rerouted",
            occurred_at=at,
            recorded_at=at,
            actor=by,
            data={"handoff": str(one.pk), "from": one.offered_to.name if one.offered_to else "", **told},
        )
        for pk, one in waiting.items()
    ]
    record_all(events)
    opened = open_for(
        [leads[pk] for pk in waiting],
        why={pk: one.card["why"] for pk, one in waiting.items()},
        workspace=workspace,
        at=at,
        follows=waiting,
        tried=_tried(waiting),
        to=to,
        because=passed_words(by, reason) if by and reason else "",
    )
    if opened and to is not None:
        # After the turns, which are locked by id: two who pass on at once may not wait for each other.
        stays(to)
    now = {one.lead_id: one.offered_to for one in opened}
    had = [
        (event, leads[pk], one.offered_to, now[pk]) for event, (pk, one) in zip(events, waiting.items(), strict=True)
    ]
    _tell_who_had(had, by=by, reason=reason, at=at)
    return opened


def _tried(waiting: Mapping[UUID, Handoff]) -> dict[UUID, set[UUID]]:
    """Who was offered each lead since it came to sales this time."""
    rows = Handoff.objects.filter(lead__in=list(waiting)).values_list("pk", "follows", "offered_to")
    offers = {pk: (follows, offered_to) for pk, follows, offered_to in rows}
    tried: dict[UUID, set[UUID]] = {}
    for lead_id, one in waiting.items():
        had, pk = set(), one.pk
        while pk is not None:
            pk, offered_to = offers[pk]
            had.add(offered_to)
        tried[lead_id] = had - {None}
    return tried


@transaction.atomic
def pass_held(
    lead_ids: Collection[UUID], *, reason: str, by: Member, at: datetime, workspace: Workspace, to: Member | None = None
) -> dict[Member, int]:
    """Let a member hold leads that are held by nobody active, else whoever the rules or the turns say.

    Gives how many each got; deals, steps and demos follow. Raises NoReason, NotYours or NobodyThere.
    """
    _decides(by, reason)
    _takes(to)
    leads = [
        lead
        for lead in Lead.objects.locked(lead_ids, "holder__user").values()
        if lead.holder is not None and not lead.holder.active
    ]
    if to is not None:
        stays(to)
        got: dict[UUID, Route] = {lead.pk: (to, {}) for lead in leads}
    else:
        got = _by_turn(leads, workspace, at)
    shares: dict[Member, int] = {}
    events = []
    for lead in leads:
        (member, route), was = got[lead.pk], lead.holder
        assert member is not None
        shares[member] = shares.get(member, 0) + 1
        said: dict[str, Any] = {"from": was.name, "was": str(was.pk), "to": member.name, "because": reason.strip()}
        said |= {"route": route} if route else {}
        events.append(
            Event(
                workspace=workspace, lead_id=lead.pk, kind="passed_on", occurred_at=at, recorded_at=at, actor=by,
                data=said,
            )
        )  # fmt: skip
    for member in shares:
        theirs = [lead for lead in leads if got[lead.pk][0] == member]
        Lead.objects.filter(pk__in=[lead.pk for lead in theirs]).update(holder=member, updated_at=at)
        companies = [lead.company_id for lead in theirs if lead.company_id]
        Company.objects.filter(pk__in=companies, holder__active=False).update(holder=member)
    record_all(events)
    for lead in leads:
        lead.holder = got[lead.pk][0]
    _tell(events, {lead.pk: lead for lead in leads}, by=by, at=at)
    return shares


def _by_turn(leads: Sequence[Lead], workspace: Workspace, at: datetime) -> dict[UUID, Route]:
    rotation, bands = Rotation.locked(at, workspace), fit_bands(leads)
    rotation.rules.read(leads)
    got: dict[UUID, Route] = {}
    for lead in leads:
        member, route = rotation.route(lead, fit_band=bands.get(lead.pk, ""))
        if member is None:
            raise NobodyThere(f"{route['says']} Choose somebody.")
        got[lead.pk] = member, route
    rotation.save()
    return got


@transaction.atomic
def pass_lead(lead: Lead, *, to: Member, by: Member, at: datetime, reason: str) -> Lead:
    """Let another member hold a lead that is with sales; who has it already keeps it.

    Raises NotYours, NoReason or AlreadyTaken.
    """
    lead = Lead.objects.locked([lead.pk], "holder__user")[lead.pk]
    if not (by.leads_others or lead.holder_id == by.pk):
        raise NotYours("Only its rep, an owner or a manager can pass a lead on.")
    _says_why(reason)
    _takes(to)
    stays(to)
    if lead.stage not in (*SALES, Stage.CUSTOMER):
        raise AlreadyTaken("This lead is not with sales.")
    if lead.holder_id == to.pk:
        return lead
    was, lead.holder, lead.updated_at = lead.holder, to, at
    Lead.objects.filter(pk=lead.pk).update(holder=to, updated_at=at)
    event = record(
        lead.workspace_id,
        "passed_on",
        at=at,
        lead_id=lead.pk,
        actor=by,
        data={
            "from": was.name if was else "",
            "was": str(was.pk) if was else "",
            "to": to.name,
            "because": reason.strip(),
        },
    )
    _tell([event], {lead.pk: lead}, by=by, at=at)
    _tell_who_had([(event, lead, was, to)], by=by, reason=reason.strip(), at=at)
    return lead


def _tell(events: Sequence[Event], leads: Mapping[UUID, Lead], *, by: Member, at: datetime) -> None:
    """Tell by mail who holds these leads now, unless they took them themselves: why, and what one lead was promised."""
    got: dict[Member, list[tuple[Event, Lead]]] = {}
    for event in events:
        lead = leads[event.lead_id]  # type: ignore[index]
        if lead.holder is not None and lead.holder != by:
            got.setdefault(lead.holder, []).append((event, lead))
    for member, theirs in got.items():
        event, lead = theirs[0]
        passed = {"passed": passed_words(by, event.data.get("because", ""), len(theirs))}
        if len(theirs) > 1:
            head = f"{len(theirs)} leads are with you now"
            about: dict[str, Any] = {
                "head": head,
                "path": "/sales/mine/",
                **names([one for _, one in theirs]),
                **passed,
            }
            mail.queue("passed-several", to=member, event=event, at=at, context=about)
            continue
        about = {
            "lead": str(lead), "company": lead.company_name, "promised": promises(touches_of([lead])[lead.pk]),
            "path": f"/leads/{lead.pk}/", **passed,
        }  # fmt: skip
        mail.queue("passed-on", to=member, event=event, lead_id=lead.pk, at=at, context=about)


def _tell_who_had(
    had: Sequence[tuple[Event, Lead, Member | None, Member | None]], *, by: Member | None, reason: str, at: datetime
) -> None:
    """Tell by mail who was offered or held these leads and does not any more, unless they did it themselves."""
    lost: dict[Member, list[tuple[Event, Lead, Member | None]]] = {}
    for event, lead, was, now in had:
        if was is not None and was != by and was.active:
            lost.setdefault(was, []).append((event, lead, now))
    for member, theirs in lost.items():
        event, lead, now = theirs[0]
        whom = {now.name if now else "the pool" for _, _, now in theirs}
        to = f"to {whom.pop()}" if len(whom) == 1 else "to others"
        head = f"{lead} went {to}" if len(theirs) == 1 else f"{len(theirs)} leads that waited for you went {to}"
        said = passed_words(by, reason, len(theirs)) if by else "Nobody had decided in time."
        one_of = f"/leads/{lead.pk}/" if len(theirs) == 1 else "/handoffs/"
        about = {"head": head, "passed": said, "path": one_of, **names([lead for _, lead, _ in theirs])}
        lead_id = lead.pk if len(theirs) == 1 else None
        mail.queue("gone-on", to=member, event=event, lead_id=lead_id, at=at, context=about)


def names(leads: Sequence[Lead]) -> dict[str, Any]:
    """What a letter about several says of them; of one its head says it."""
    named = [
        {"name": str(lead), "company": lead.company_name if lead.name else "", "path": f"/leads/{lead.pk}/"}
        for lead in leads
    ]
    return {"leads": named[:NAMED] if len(named) > 1 else [], "more": max(0, len(named) - NAMED)}


def passed_words(by: Member, reason: str, many: int = 1) -> str:
    """Who passed a lead, or several, on and why, as whoever gets it reads it."""
    passed = f"{by.name} passed {'it' if many == 1 else 'them'} on"
    return f"{passed}: “{reason}”." if reason else f"{passed}."
