"""What the lead does with a quote: accept it, decline it, ask about it, or let its day pass. Exactly one ends it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from funnel.leads.actions import touch
from funnel.leads.models import Lead
from funnel.mail import actions as mail
from funnel.outbox.actions import record
from funnel.outbox.models import Effect, Event
from funnel.workspaces.models import Member, Role
from funnel.workspaces.refusals import Refusal
from sales.deals.models import OPEN, Deal, DealStage
from sales.negotiation.actions import MINUTE, end_of, told
from sales.negotiation.document import in_words
from sales.negotiation.models import DeclineReason, Quote, QuoteVersion, State
from sales.queue.models import Task

WHAT = 300
# The step that looks after a quote, and how one begins that answers what was asked about it.
CALL, QUESTION = "Call about {}", "{}:"


class Over(Refusal):
    """The version is not open for an answer any more; the sentence says what became of it."""


def _held(version: QuoteVersion) -> QuoteVersion:
    """The version with its deal and lead as they are now, held to the end of the transaction; the lead first."""
    lead = Lead.objects.locked([version.quote.deal.lead_id], "holder__user", "company", "workspace")
    now: QuoteVersion = (
        QuoteVersion.objects.select_for_update(of=("self",))
        .select_related("quote__deal__holder__user")
        .get(pk=version.pk)
    )
    now.quote.deal.lead = lead[now.quote.deal.lead_id]
    return now


def _open(version: QuoteVersion, at: datetime) -> QuoteVersion:
    """The same, if it can still be answered; raise Over."""
    now = _held(version)
    state = now.state_at(at)
    if state != State.SENT:
        raise Over(_over(now, state))
    return now


def _over(version: QuoteVersion, state: State) -> str:
    if version.is_withdrawn:
        return "This quote was withdrawn."
    return "This quote is no longer open." if version.is_closed else ENDED[state]


ENDED = {
    State.DRAFT: "This quote has not been sent.",
    State.ACCEPTED: "This quote has been accepted already.",
    State.DECLINED: "This quote has been declined already.",
    State.EXPIRED: "This quote has ended.",
    State.SUPERSEDED: "A newer version has replaced this one.",
}


@transaction.atomic
def accept(version: QuoteVersion, *, signed: str, at: datetime) -> QuoteVersion:
    """Let the lead accept a version by their typed name; the rep wins the deal, worth from now what was agreed on.

    Raises Over, for a deal that was lost too.
    """
    now = _open(version, at)
    if not now.move(State.ACCEPTED, at=at, decided_at=at, signed=signed):
        raise Over(ENDED[State.SUPERSEDED])
    deal = now.quote.deal
    if deal.is_open:
        Deal.objects.filter(pk=deal.pk).update(amount=now.net, currency=now.quote.currency, updated_at=at)
    event = record(now.workspace_id, "quote_accepted", at=at, lead_id=deal.lead_id, data=told(now) | {"signed": signed})
    seen = in_words(now.document)
    what = f"{now.quote.name} accepted for {seen['net']}: win the deal" if deal.is_open else ""
    _tell(now, event, "accepted", what=what, at=at, words="", who=signed)
    context = {
        "version": str(now.pk), "quote": now.quote.name, "number": now.number, "title": now.title, "signed": signed,
        "total": seen["total"], "tax_name": seen["tax_name"], "on": at.isoformat(), "place": seen["place"],
        "digest": now.digest,
    }  # fmt: skip
    mail.queue(
        "quote-accepted", to_lead=deal.lead, by=deal.holder, address=now.sent_to, event=event, at=at, context=context
    )
    return now


@transaction.atomic
def decline(version: QuoteVersion, *, reason: DeclineReason, at: datetime, note: str = "") -> QuoteVersion:
    """Let the lead decline a version with a reason; raise Over."""
    now = _open(version, at)
    if not now.move(State.DECLINED, at=at, decided_at=at, reason=reason, note=note):
        raise Over(ENDED[State.SUPERSEDED])
    event = record(
        now.workspace_id, "quote_declined", at=at, lead_id=now.quote.deal.lead_id,
        data=told(now) | {"reason": str(reason), "says": reason.label, "note": note},
    )  # fmt: skip
    what = f"{now.quote.name} declined ({reason.label[0].lower()}{reason.label[1:]}): call, or give the deal up"
    _tell(now, event, "declined", what=what, at=at, words=note, reason=reason.label)
    return now


@transaction.atomic
def ask(version: QuoteVersion, *, question: str, at: datetime) -> None:
    """Let the lead ask about a version, or for a new one after its end; raise Over where a newer one is there.

    Who is with sales no more asks for contact by it, so that somebody gets the lead again.
    """
    now = _held(version)
    if now.state in (State.DRAFT, State.SUPERSEDED):
        raise Over(ENDED[State(now.state)])
    event = record(
        now.workspace_id, "quote_asked", at=at, lead_id=now.quote.deal.lead_id, data=told(now) | {"text": question}
    )
    wants = "asks for a new quote" if now.state_at(at) == State.EXPIRED else "asks"
    what = f"{QUESTION.format(now.quote)} {now.quote.deal.lead} {wants}" + (f": {question}" if question else "")
    deal = now.quote.deal
    if not deal.is_open and deal.lead.holder_id != deal.holder_id:
        touch(deal.lead, "contact_request", at=at, data={"message": what})
        what = ""
    _tell(now, event, "asked", what=what, at=at, words=question)


def end(effects: list[Effect], at: datetime) -> None:
    """A version's last day is over: note it, and give the rep a step. EVENT_ROUTES["quote_sent"]."""
    events = Event.objects.filter(pk__in=[one.event_id for one in effects]).order_by("id")
    for pk in [one.data["version"] for one in events]:
        expire(QuoteVersion.objects.select_related("quote__deal").filter(pk=pk).first(), at=at)


@transaction.atomic
def expire(version: QuoteVersion | None, *, at: datetime) -> bool:
    """End a version whose day is over; False where it was answered or replaced before, or has time left."""
    if version is None or version.ends_at is None or version.ends_at > at:
        return False
    now = _held(version)
    if now.state != State.SENT or not now.move(State.EXPIRED, at=at, decided_at=version.ends_at):
        return False
    event = record(
        now.workspace_id, "quote_ended", at=at, lead_id=now.quote.deal.lead_id, occurred_at=version.ends_at,
        data=told(now),
    )  # fmt: skip
    if now.quote.deal.is_open:
        _tell(now, event, "ended", what=f"{now.quote.name} ended without an answer: call", at=at, words="")
    return True


def settle(effects: list[Effect], at: datetime) -> None:
    """A deal has ended: the steps about its quotes end with it. EVENT_ROUTES["deal_won"] and ["deal_lost"].

    Who bought still wants an answer to what they asked.
    """
    events = Event.objects.filter(pk__in=[one.event_id for one in effects])
    ended = Deal.objects.filter(pk__in=[one.data["deal"] for one in events]).exclude(stage__in=OPEN)
    for quote in Quote.objects.filter(deal__in=ended).exclude(number=None).select_related("deal"):
        steps = _steps_about(quote).filter(done_at=None)
        if quote.deal.stage == DealStage.WON:
            steps = steps.exclude(what__startswith=QUESTION.format(quote))
        steps.update(done_at=at)


def unsettle(effects: list[Effect], at: datetime) -> None:
    """A deal is open again: so are the steps about its quotes that had ended with it. EVENT_ROUTES["deal_reopened"]."""
    events = Event.objects.filter(pk__in=[one.event_id for one in effects]).select_related("voids")
    since = {one.data["deal"]: one.voids.recorded_at for one in events if one.voids is not None}
    again = Quote.objects.filter(deal__in=Deal.objects.open().filter(pk__in=list(since))).exclude(number=None)
    for quote in again.select_related("deal"):
        ended = _steps_about(quote).filter(done_at__gte=since[str(quote.deal_id)])
        ticked = Event.objects.filter(lead=quote.deal.lead_id, kind="next_step_done")
        ended.exclude(pk__in=list(ticked.values_list("data__task", flat=True))).update(done_at=None)


def _steps_about(quote: Quote) -> Any:
    # The blank tells Q-2026-0012 from Q-2026-00121.
    about = (
        Q(what__startswith=f"{quote.name} ") | Q(what__startswith=QUESTION.format(quote)) | Q(what=CALL.format(quote))
    )
    return Task.objects.filter(about, lead=quote.deal.lead_id)


def _tell(version: QuoteVersion, event: Event, how: str, *, what: str, at: datetime, words: str, **also: Any) -> None:
    """Put it on the rep's desk at once, and mail it."""
    deal = version.quote.deal
    if how != "asked":
        # The call was to bring about what has come now.
        Task.objects.open().filter(lead=deal.lead_id, what=CALL.format(version.quote)).update(done_at=at)
    rep = _rep(deal)
    if rep is None:
        return
    if what:
        workspace = deal.lead.workspace
        # A step for today: late only when nobody has looked after it by the evening.
        today = end_of(workspace.local(at).date(), workspace) - MINUTE
        Task.objects.create(
            workspace=workspace, lead=deal.lead, holder=rep, what=_cut(what), due_at=today, all_day=True, made_at=at
        )
    seen = in_words(version.document)
    context = {
        "how": how, "lead": str(deal.lead), "company": deal.lead.company_name, "quote": version.quote.name,
        "number": version.number, "title": version.title, "net": seen["net"], "total": seen["total"],
        "tax_name": seen["tax_name"], "words": words, "path": f"/leads/{deal.lead_id}/",
        "says": {"accepted": "Accepted", "declined": "Declined", "asked": "A question", "ended": "Ended"}[how],
    }  # fmt: skip
    mail.queue("quote-told", to=rep, event=event, lead_id=deal.lead_id, at=at, context=context | also)


def _rep(deal: Deal) -> Member | None:
    """Who has the deal; an owner where that person doesn't work here any more."""
    if deal.holder.active:
        return deal.holder
    owners = Member.objects.active().filter(role=Role.OWNER).select_related("user").order_by("joined_at")
    return owners.first()


def _cut(text: str) -> str:
    return text if len(text) <= WHAT else text[: WHAT - 1].rstrip() + "…"
