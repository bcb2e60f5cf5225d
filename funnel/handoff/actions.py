"""Hand a lead over, take it, give it back (design.md, Handoff)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists

from funnel.handoff.card import WhyNow, reason_card, touches_of
from funnel.handoff.clock import Clock, goes_on_at
from funnel.handoff.models import GiveBackReason, Handoff, Outcome
from funnel.handoff.routing import Rotation, by_arrival, fit_bands, known_members
from funnel.handoff.wayback import way_of
from funnel.leads.identity import Refused
from funnel.leads.models import Company, Lead
from funnel.leads.stages import SALES, Stage
from funnel.outbox.actions import record, record_all
from funnel.outbox.models import Event
from funnel.scoring.models import Basis, LeadScore
from funnel.workspaces.asking import Asked
from funnel.workspaces.inserting import insert_all, row_of
from funnel.workspaces.models import LEADERS, SELLERS, Member, Role, Workspace
from funnel.workspaces.refusals import Forbidden, Refusal
from funnel.workspaces.slots import slot

OPEN = Asked(lambda lead: Handoff.objects.open().filter(lead__in=[lead]).values_list("lead_id"), UUID)
# A promise further away is a slip, and near the year 9999 no page can show it in its own time zone.
FAR, TOO_FAR = timedelta(days=366 * 5), "Choose a day within the next five years."
NO_DAY = "Say on which day to call again."


@transaction.atomic
def open_for(
    leads: Sequence[Lead],
    *,
    why: Mapping[UUID, str],
    workspace: Workspace,
    at: datetime,
    follows: Mapping[UUID, Handoff] | None = None,
    tried: Mapping[UUID, Collection[UUID]] | None = None,
    to: Member | None = None,
    because: str = "",
    touches: Mapping[UUID, Sequence[Event]] | None = None,
    bands: Mapping[UUID, str] | None = None,
) -> list[Handoff]:
    """Open a handoff for each locked lead: card, route, clock; the leads become ready, customers keep their stage.

    A lead with an open handoff is left as it is. `to` names the member instead of the rotation, and
    `because` is the sentence by which somebody passed it on. `touches` are what the
    leads did (card.touches_of) and `bands` their fit, from a caller who has read them.
    """
    ids = [lead.pk for lead in leads]
    busy = {lead_id for (lead_id,) in OPEN.rows(ids)}
    leads = by_arrival(lead for lead in leads if lead.pk not in busy)
    if not leads:
        return []
    rotation, known = Rotation.locked(at, workspace), known_members(leads)
    rotation.rules.read(leads)
    bands = fit_bands(leads) if bands is None else bands
    touches = touches_of(leads) if touches is None else touches
    clock = Clock(workspace, at)
    before = follows or {}
    made = []
    for lead in leads:
        if to is not None:
            member, route = to, {"by": "hand", "says": because or f"Passed on to {to.name} by hand.", "rows": []}
        else:
            chosen, route = rotation.route(
                lead,
                known=known[lead.pk],
                tried=(tried or {}).get(lead.pk, ()),
                fit_band=bands.get(lead.pk, ""),
            )
            member = chosen  # type: ignore[assignment]
            if because:
                route["says"] = f"{because} {route['says']}"
        if because:
            route["because"] = because
        one = row_of(
            Handoff,
            workspace_id=workspace.pk,
            card=reason_card(lead, touches[lead.pk], why=why[lead.pk]),
            route=route,
            opened_at=at,
            began_at=at,
            **clock.of(bands.get(lead.pk, "")),
        )
        one.lead, one.offered_to, one.follows = lead, member, before.get(lead.pk)
        if one.follows is not None:
            # What the lead was promised stays; whoever has it now gets their own time to take it.
            one.began_at, one.contact_due_at = one.follows.began_at, one.follows.contact_due_at
        made.append(one)
    rotation.save()
    insert_all(made)
    ours = Lead.objects.filter(pk__in=[lead.pk for lead in leads])
    moved = ours.exclude(stage__in=[Stage.CUSTOMER, Stage.READY]).move(
        Stage.READY, at=at, because="handed over", cool_until=None
    )
    if moved < len(leads):
        ours.update(cool_until=None, waits_since=None)
    for remind_at in dict.fromkeys(one.remind_at for one in made):
        record_all(
            [_opened(one, at) for one in made if one.remind_at == remind_at],
            due={"handoff_opened": {"remind": remind_at}},
        )
    going: dict[datetime, list[Event]] = {}
    for one in made:
        if one.offered_to and one.offered_to.days_off and (moment := goes_on_at(one, one.offered_to, workspace)):
            data = {"handoff": str(one.pk)}
            going.setdefault(moment, []).append(
                Event(workspace=workspace, kind="day_off", occurred_at=at, recorded_at=at, data=data)
            )
    for moment, events in going.items():
        record_all(events, due={"day_off": {"day_off": moment}})
    return made


def _opened(one: Handoff, at: datetime) -> Event:
    says = {"why": one.card["why"], "to": one.offered_to.name if one.offered_to else "", "says": one.route["says"]}
    return row_of(
        Event,
        workspace_id=one.workspace_id,
        lead_id=one.lead_id,
        kind="handoff_opened",
        occurred_at=at,
        recorded_at=at,
        data={"handoff": str(one.pk), **says},
    )


class AlreadyTaken(Refusal):
    """Somebody else has it, or nobody has handed it over; the sentence says which."""


class NotYours(Forbidden):
    """This member may not do that with this lead."""


@transaction.atomic
def accept(lead: Lead, *, by: Member, at: datetime, to: Member | None = None) -> Lead:
    """Give the lead to the rep who asked first; raise AlreadyTaken or NotYours.

    Owner and manager may name another member with `to`. Asking again for what one holds already is no error.
    """
    who = to or by
    if who != by and not by.leads_others:
        raise NotYours("Only an owner or a manager can take a lead for somebody else.")
    if who.role not in SELLERS or not who.active:
        raise NotYours(f"{who.name} doesn’t take leads.")
    # The lead before its handoff, as the clock's handlers do, or the two would wait for each other.
    Lead.objects.locked([lead.pk])
    stays(who)
    if not _close(lead, Outcome.ACCEPTED, who=who, at=at, among=Handoff.objects.takeable_by(by)):
        lead.refresh_from_db()
        if lead.holder_id == who.pk:
            return lead
        waiting = Handoff.objects.open().filter(lead=lead).select_related("offered_to__user").first()
        if waiting and waiting.offered_to:
            raise NotYours(f"This lead waits for {waiting.offered_to.name}.")
        if lead.holder:
            raise AlreadyTaken(f"{lead.holder.name} has already taken this lead.")
        raise AlreadyTaken("This lead has not been handed over.")
    if lead.stage == Stage.CUSTOMER:
        Lead.objects.filter(pk=lead.pk).update(holder=who, updated_at=at)
        lead.refresh_from_db(fields=["holder", "updated_at"])
        taken = Handoff.objects.filter(lead=lead, outcome=Outcome.ACCEPTED).latest("opened_at")
        for plugged in slot("customer_taken"):
            plugged(lead, taken.contact_due_at or taken.due_at, at=at)
    else:
        lead.move(Stage.WORKING, at=at, by=by, holder=who, because="taken")
    if lead.company_id:
        Company.objects.filter(pk=lead.company_id, holder=None).update(holder=who)
    return lead


def stays(member: Member) -> None:
    """Raise NotYours for somebody removed meanwhile; a removal that begins now waits, and finds what they hold."""
    found = Member.objects.select_for_update(no_key=True).filter(pk=member.pk)
    if not all(found.values_list("active", flat=True)):
        raise NotYours(f"{member.name} doesn’t work here any more.")


def _close(lead: Lead, outcome: Outcome, *, who: Member | None, at: datetime, among: Any, **also: Any) -> bool:
    """Close the lead's open handoff by compare-and-set, with its event; False when there is none among these."""
    open_one = among.filter(lead=lead).values_list("pk", flat=True).first()
    if open_one is None:
        return False
    closed = Handoff.objects.filter(pk=open_one, outcome=Outcome.OPEN).update(
        outcome=outcome, closed_at=at, closed_by=who, **also
    )
    if not closed:
        return False
    if outcome == Outcome.ACCEPTED:
        record(
            lead.workspace_id, "handoff_accepted", at=at, lead_id=lead.pk, actor=who,
            data={"handoff": str(open_one)},
        )  # fmt: skip
    return True


@transaction.atomic
def keep(lead: Lead, *, by: Member, at: datetime) -> Lead:
    """Let a rep work the lead that they brought themselves: no handoff, never routed away."""
    _close(lead, Outcome.OVERTAKEN, who=by, at=at, among=Handoff.objects.open())
    lead.move(Stage.WORKING, at=at, by=by, holder=by, because="brought by hand")
    return lead


@transaction.atomic
def enter(lead: Lead, *, holder: Member, by: Member | None, at: datetime) -> None:
    """End the wait of a locked lead that `holder` begins to work by a deal, and let the company be theirs.

    What was offered to that holder counts as taken, any other offer as overtaken. Raises NotYours where it waits for
    somebody else and `by` doesn't lead others; without `by` the lead itself came back, which nobody refuses.
    """
    waiting = Handoff.objects.open().filter(lead=lead).select_related("offered_to__user").first()
    if waiting is not None:
        theirs = waiting.offered_to_id in (None, holder.pk, by.pk if by else holder.pk)
        if by is not None and not theirs and not by.leads_others:
            raise NotYours(f"This lead waits for {waiting.offered_to.name}.")
        outcome = Outcome.ACCEPTED if waiting.offered_to_id == holder.pk else Outcome.OVERTAKEN
        _close(lead, outcome, who=holder, at=at, among=Handoff.objects.open())
    if lead.company_id:
        Company.objects.filter(pk=lead.company_id, holder=None).update(holder=holder)


def _wrong_day(reason: GiveBackReason, until: datetime | None, at: datetime) -> str:
    """Why this reason can't be given with this promised moment, or without one; blank where it can."""
    if until is None:
        return NO_DAY if reason.asks_date else ""
    if reason.disqualifies:
        return ends_with_a_day(reason)
    if until <= at:
        return "This day has passed; choose a later one."
    return TOO_FAR if until > at + FAR + timedelta(days=1) else ""


def ends_with_a_day(reason: GiveBackReason) -> str:
    """What is wrong with a day to call again where the reason ends it."""
    return f"“{reason.name}” ends it, so nobody calls again. Leave the day out, or choose another reason."


@transaction.atomic
def give_back(
    lead: Lead,
    *,
    reason: GiveBackReason,
    by: Member,
    at: datetime,
    note: str = "",
    until: datetime | None = None,
) -> Lead:
    """Give a lead back to marketing, offered or already taken; raise NotYours, AlreadyTaken or Refused.

    `until` is the promised moment to come back, which then opens a handoff whatever the score. A reason that comes
    back on a day needs it, with one that ends it is refused, and with any other it goes before what the reason says.
    """
    if wrong := _wrong_day(reason, until, at):
        raise Refused({"until": wrong})
    lead = Lead.objects.locked([lead.pk])[lead.pk]
    # Without a cool-down none ends: who is over the line still would come back in the same moment.
    cools = at + timedelta(days=reason.cool_days) if reason.cool_days else None
    cool = None if reason.disqualifies else until or cools
    way = way_of(reason, until=until)
    if lead.stage == Stage.CUSTOMER and until is None:
        # They stay a customer: nothing cools, and whenever they ask they come to sales.
        cool, way = None, None
    given = {"given_back_at": at, "reason": reason, "note": note}
    taken = not _close(lead, Outcome.GIVEN_BACK, who=by, at=at, among=Handoff.objects.takeable_by(by), **given)
    if taken:
        if Handoff.objects.open().filter(lead=lead).exists():
            raise NotYours("This lead waits for somebody else.")
        if lead.stage not in SALES:
            raise AlreadyTaken("This lead is not with sales, so there is nothing to give back.")
        if lead.holder_id != by.pk and by.role not in LEADERS:
            raise NotYours(f"{lead.holder.name if lead.holder else 'Nobody'} holds this lead.")
        latest = (
            Handoff.objects.filter(lead=lead, outcome=Outcome.ACCEPTED, given_back_at=None)
            .order_by("-opened_at")
            .first()
        )
        if latest:
            Handoff.objects.filter(pk=latest.pk).update(**given)
    was_with = lead.holder
    for plugged in slot("leaves_sales"):
        plugged(lead, reason.name, by=by, at=at)
    if lead.stage != Stage.CUSTOMER:
        lead.move(
            Stage.DISQUALIFIED if reason.disqualifies else Stage.NURTURING,
            at=at, by=by, because=reason.name, cool_until=cool,
            way_back=way and way | ({"with": str(was_with.pk)} if was_with else {}),
        )  # fmt: skip
    elif until is not None:
        lead.cool_until = until
        lead.save(update_fields=["cool_until"])
    record(
        lead.workspace_id, "handoff_given_back", at=at, lead_id=lead.pk, actor=by,
        data={
            "reason": reason.name, "key": reason.key, "note": note, "promised": until is not None,
            "until": cool.isoformat() if cool else "", "way": way, "nurtures": reason.nurtures and way is not None,
            "taken": taken,
        },
        due={"cool": cool} if cool else {"cool": at},
    )  # fmt: skip
    if lead.company_id and was_with is not None:
        others = Lead.objects.filter(company=lead.company_id, holder=was_with)
        Company.objects.filter(~Exists(others), pk=lead.company_id, holder=was_with).update(holder=None)
    return lead


@transaction.atomic
def disqualify(lead: Lead, *, by: Member, at: datetime, reason: str = "") -> Lead:
    """Say that this is not a lead (spam, competitor, no fit): an open handoff is overtaken, open deals are lost."""
    lead = Lead.objects.locked([lead.pk])[lead.pk]
    if lead.stage == Stage.DISQUALIFIED:
        return lead
    if lead.stage == Stage.CUSTOMER:
        raise AlreadyTaken("A customer can’t be set aside as not a fit.")
    _close(lead, Outcome.OVERTAKEN, who=by, at=at, among=Handoff.objects.open())
    because = reason or "not a fit"
    for plugged in slot("leaves_sales"):
        plugged(lead, because, by=by, at=at)
    lead.move(Stage.DISQUALIFIED, at=at, by=by, because=because)
    return lead


def may_bring_back(lead: Lead, by: Member) -> bool:
    """Whether the member may let a lead go on that was set aside: whoever looks after leads, and who set it aside."""
    if lead.stage != Stage.DISQUALIFIED or by.role == Role.VIEWER:
        return False
    if by.role != Role.REP:
        return True
    last = Event.objects.filter(lead=lead, kind="moved").order_by("-occurred_at", "-id").first()
    return last is not None and last.actor_id == by.pk


@transaction.atomic
def bring_back(lead: Lead, *, by: Member, at: datetime, to: Member | None = None) -> Lead:
    """Let a lead go on that was set aside: with marketing, where it is judged again, or at once with `to`.

    Raises AlreadyTaken or NotYours.
    """
    lead = Lead.objects.locked([lead.pk])[lead.pk]
    if to is not None:
        stays(to)
    if lead.stage != Stage.DISQUALIFIED:
        raise AlreadyTaken("This lead is not set aside any more.")
    if not may_bring_back(lead, by) or (to is not None and to != by and not by.leads_others):
        raise NotYours("Only who set this lead aside, an owner or a manager can bring it back to sales.")
    if to is not None and to.role not in SELLERS:
        raise NotYours(f"{to.name} doesn’t take leads.")
    if to is None:
        lead.move(Stage.NURTURING, at=at, by=by, because="brought back", cool_until=None)
    else:
        lead.move(Stage.WORKING, at=at, by=by, holder=to, because="brought back", cool_until=None)
        if lead.company_id:
            Company.objects.filter(pk=lead.company_id, holder=None).update(holder=to)
    data = {"to": to.name if to else ""}
    record(lead.workspace_id, "brought_back", at=at, lead_id=lead.pk, actor=by, data=data)
    return lead


@transaction.atomic
def go(lead_ids: Collection[UUID], *, by: Member, workspace: Workspace, at: datetime) -> list[Handoff]:
    """Hand over the leads that are ready and wait for an owner's or manager's go."""
    if not by.leads_others:
        raise NotYours("Only an owner or a manager can give the go.")
    leads = [lead for lead in Lead.objects.locked(lead_ids).values() if lead.waits_since]
    basis = Basis.objects.select_related("version").get(in_force=True)
    scores = {one.lead_id: one for one in LeadScore.objects.filter(basis=basis, lead__in=leads)}
    touches, now, why = touches_of(leads), WhyNow(basis, workspace, at), {}
    for lead in leads:
        score = scores[lead.pk]
        band = {"fit_band": score.fit_band, "engagement_band": basis.band(score.total, at)}
        why[lead.pk] = f"{now.ready(lead, touches[lead.pk], **band)}; {by.name} gave the go"
    return open_for(leads, why=why, workspace=workspace, at=at)
