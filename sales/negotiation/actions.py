"""Make a quote, write it, send it, and make its next version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from funnel.leads.identity import Refused
from funnel.mail import actions as mail
from funnel.outbox.actions import record
from funnel.outbox.models import Event
from funnel.workspaces.doors import open_door
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.refusals import Refusal
from sales.deals import actions as deals
from sales.deals.actions import NotOpen, locked
from sales.deals.models import Deal, DealStage
from sales.negotiation.document import digest_of, in_words, write
from sales.negotiation.links import token_of
from sales.negotiation.models import Product, Quote, QuoteCounter, QuoteLine, QuoteVersion, State
from sales.negotiation.reckoning import fits, net_of, reckon
from sales.queue.models import Task

MOST_LINES = 100
MINUTE = timedelta(minutes=1)
USUALLY_VALID = timedelta(days=30)
# A price that holds for longer is a slip of the keyboard.
LONGEST_VALID = timedelta(days=366 * 3)


class AlreadySent(Refusal):
    """This version was sent, so it stays as it is."""


class NotOut(Refusal):
    """Nothing of the quote is open to the lead; the sentence says what became of it."""


class AlreadyDecided(Refusal):
    """The quote was accepted, so there is nothing more to offer."""


@dataclass
class LineDraft:
    """A line as somebody wrote it, scaled as `reckoning` says."""

    text: str
    quantity: int
    unit_price: int
    discount: int = 0
    tax_rate: int = 0
    more: str = ""
    product: Product | None = None


@transaction.atomic
def draft(
    deal: Deal,
    lines: Sequence[LineDraft],
    *,
    by: Member,
    at: datetime,
    currency: str = "",
    title: str = "",
    words: str = "",
    terms: str | None = None,
    valid_until: date | None = None,
) -> QuoteVersion:
    """Begin a quote for an open deal; raise NotOpen, NotYourDeal or Refused."""
    deal = locked(deal, by)
    _is_open(deal)
    workspace = deal.lead.workspace
    quote = Quote.objects.create(workspace=workspace, deal=deal, currency=currency or deal.currency, made_at=at)
    version = QuoteVersion(
        workspace=workspace,
        quote=quote,
        title=title or deal.title,
        words=words,
        terms=workspace.quote_terms if terms is None else terms,
        valid_until=valid_until or usual_end(workspace, at),
        made_at=at,
        updated_at=at,
    )
    _may_end(version.valid_until, workspace, at)
    _reckoned(version, lines)
    version.save(force_insert=True)
    _put(version, lines)
    return version


@transaction.atomic
def revise(
    version: QuoteVersion,
    lines: Sequence[LineDraft],
    *,
    by: Member,
    at: datetime,
    title: str,
    words: str,
    terms: str,
    valid_until: date,
    currency: str = "",
) -> QuoteVersion:
    """Write a draft anew; raise AlreadySent, NotYourDeal or Refused."""
    now = held(version, by)
    if now.state != State.DRAFT:
        raise AlreadySent(f"{now} was sent, so it stays as it is. Make a new version instead.")
    _may_end(valid_until, now.quote.deal.lead.workspace, at)
    if currency and currency != now.quote.currency:
        if now.quote.number:
            raise Refused({"currency": "This quote was sent in another currency. Begin a new one."})
        now.quote.currency = currency
        now.quote.save(update_fields=["currency"])
    now.title, now.words, now.terms, now.valid_until, now.updated_at = title, words, terms, valid_until, at
    _reckoned(now, lines)
    now.save(update_fields=["title", "words", "terms", "valid_until", "before", "net", "tax", "total", "updated_at"])
    now.lines.all().delete()
    _put(now, lines)
    return now


@transaction.atomic
def change(quote: Quote, *, by: Member, at: datetime) -> QuoteVersion:
    """Begin the next version of a quote as a copy of its latest, or give the draft that is there.

    Raises AlreadyDecided once a version was accepted, NotOpen or NotYourDeal.
    """
    latest = quote.versions.order_by("-number").first()
    now = held(latest, by)
    if now.state == State.DRAFT:
        return now
    _is_open(now.quote.deal)
    _not_accepted(now.quote)
    workspace = now.quote.deal.lead.workspace
    following: QuoteVersion = QuoteVersion.objects.create(
        workspace=workspace, quote=now.quote, number=now.number + 1, title=now.title, words="", terms=now.terms,
        valid_until=max(now.valid_until, usual_end(workspace, at)), before=now.before, net=now.net, tax=now.tax,
        total=now.total, made_at=at, updated_at=at,
    )  # fmt: skip
    QuoteLine.objects.bulk_create(
        QuoteLine(
            workspace=workspace, version=following, position=one.position, product_id=one.product_id, text=one.text,
            more=one.more, quantity=one.quantity, unit_price=one.unit_price, discount=one.discount,
            tax_rate=one.tax_rate, net=one.net,
        )
        for one in now.ordered_lines()
    )  # fmt: skip
    return following


@transaction.atomic
def discard(version: QuoteVersion, *, by: Member) -> None:
    """Throw a draft away, and its quote where nothing of it was ever sent; raise AlreadySent or NotYourDeal."""
    now = held(version, by)
    if now.state != State.DRAFT:
        raise AlreadySent(f"{now} was sent, so it stays as it is.")
    if now.number == 1:
        now.quote.delete()
    else:
        now.delete()


@transaction.atomic
def send(version: QuoteVersion, *, by: Member, at: datetime, to: str | None = None, by_mail: bool = True) -> Event:
    """Send a draft: from then on it stays as it is, under its number, and replaces what was sent before it.

    `to` is the address that gets the link, by default the lead's; without one, or not `by_mail`, the rep passes the
    link on. The deal is worth what is offered, and is in negotiation. Raises AlreadySent, AlreadyDecided, NotOpen,
    NotYourDeal or Refused.
    """
    now = held(version, by)
    quote, deal, workspace = now.quote, now.quote.deal, now.quote.deal.lead.workspace
    if now.state != State.DRAFT:
        raise AlreadySent(f"{now} was sent already.")
    _is_open(deal)
    _not_accepted(quote)
    _may_end(now.valid_until, workspace, at)
    lines = list(now.ordered_lines())
    if not lines:
        raise Refused({"lines": "A quote needs one line at least."})
    if not quote.number:
        quote.year = workspace.local(at).year
        quote.number = next_number(workspace.pk, quote.year)
        quote.save(update_fields=["year", "number"])
    for before in quote.versions.filter(state=State.SENT):
        before.move(State.SUPERSEDED, at=at, decided_at=at)
    # What an earlier version's answer asked for is done by this one.
    left = Q(what__startswith=f"{quote.name} declined ") | Q(what__startswith=f"{quote.name} ended ")
    Task.objects.open().filter(left, lead=deal.lead_id).update(done_at=at)
    now.ends_at = end_of(now.valid_until, workspace)
    document = write(now, lines, at)
    address = (to if to is not None else deal.lead.email) if by_mail else ""
    now.move(
        State.SENT, at=at, sent_at=at, sent_by=by, sent_to=address, ends_at=now.ends_at, document=document,
        digest=digest_of(document), door=open_door(workspace.pk, token_of(now)),
    )  # fmt: skip
    deals.advance(deal.lead, DealStage.NEGOTIATION, by=by, at=at, deal=deal)
    deals.edit(deal, {"amount": now.net, "currency": quote.currency}, by=by, at=at)
    event = record(
        workspace.pk, "quote_sent", at=at, lead_id=deal.lead_id, actor=by, data=told(now) | {"to": address},
        due={"quote_ends": now.ends_at},
    )  # fmt: skip
    if address:
        seen = in_words(document)
        context = {
            "version": str(now.pk), "quote": quote.name, "number": now.number, "title": now.title, "words": now.words,
            "total": seen["total"], "net": seen["net"], "tax_name": seen["tax_name"], "valid_until": seen["until_long"],
            "name": f"{quote.name}{f' version {now.number}' if now.number > 1 else ''}",
        }  # fmt: skip
        mail.queue("quote", to_lead=deal.lead, by=by, address=address, event=event, at=at, context=context)
    return event


@transaction.atomic
def withdraw(version: QuoteVersion, *, by: Member, at: datetime) -> QuoteVersion:
    """End a sent version before its day, so that nobody can accept it any more; raise NotOut or NotYourDeal."""
    now = held(version, by)
    if now.state_at(at) != State.SENT or not now.move(State.EXPIRED, at=at, decided_at=at):
        raise NotOut(f"{now} is not open, so there is nothing to withdraw.")
    why = "Not sent: the quote was withdrawn."
    mail.take_back("quote", lead_ids=[now.quote.deal.lead_id], why=why, version=str(now.pk))
    record(now.workspace_id, "quote_withdrawn", at=at, lead_id=now.quote.deal.lead_id, actor=by, data=told(now))
    return now


def told(version: QuoteVersion) -> dict[str, Any]:
    """What an event says of a version."""
    return {
        "quote": str(version.quote_id), "version": str(version.pk), "name": version.quote.name,
        "number": version.number, "deal": str(version.quote.deal_id), "title": version.title, "net": version.net,
        "total": version.total, "currency": version.quote.currency,
    }  # fmt: skip


def held(version: QuoteVersion | None, by: Member) -> QuoteVersion:
    """The version with its deal and lead as they are now, held to the end of the transaction; raise NotYourDeal."""
    assert version is not None
    deal = locked(version.quote.deal, by)
    now: QuoteVersion = QuoteVersion.objects.select_for_update(of=("self",)).select_related("quote").get(pk=version.pk)
    now.quote.deal = deal
    return now


def next_number(workspace_id: UUID, year: int) -> int:
    """The next number of a year. Its row is held to the end of the transaction, so that none is lost or given twice."""
    mine = QuoteCounter.objects.filter(year=year)
    if not mine.update(last=F("last") + 1):
        QuoteCounter.objects.get_or_create(workspace_id=workspace_id, year=year)
        mine.update(last=F("last") + 1)
    number: int = mine.get().last
    return number


def usual_end(workspace: Workspace, at: datetime) -> date:
    """The day until which a quote is valid unless somebody says otherwise."""
    return (workspace.local(at) + USUALLY_VALID).date()


def end_of(day: date, workspace: Workspace) -> datetime:
    """The moment at which a day ends where the business is."""
    return datetime.combine(day + timedelta(days=1), time(), workspace.zone).astimezone(UTC)


def _may_end(day: date, workspace: Workspace, at: datetime) -> None:
    today = workspace.local(at).date()
    if day < today:
        raise Refused({"valid_until": "This day has passed; choose a later one."})
    if day > today + LONGEST_VALID:
        raise Refused({"valid_until": "Choose a day within the next three years."})


def _is_open(deal: Deal) -> None:
    if not deal.is_open:
        raise NotOpen(f"This deal is {deal.get_stage_display().lower()}, so nothing can be offered for it.")


def _not_accepted(quote: Quote) -> None:
    accepted = quote.versions.filter(state=State.ACCEPTED).first()
    if accepted is not None:
        raise AlreadyDecided(f"{accepted} was accepted. Begin a new quote for anything else.")


def _reckoned(version: QuoteVersion, lines: Sequence[LineDraft]) -> None:
    """Write the sums of the lines; raise Refused for more than can be kept."""
    if len(lines) > MOST_LINES:
        raise Refused({"lines": f"A quote has at most {MOST_LINES} lines."})
    totals = reckon(lines)
    if not fits(totals, version.quote.currency):
        raise Refused({"lines": "Together this is more than can be booked."})
    version.before, version.net, version.tax, version.total = totals.before, totals.net, totals.tax, totals.total


def _put(version: QuoteVersion, lines: Sequence[LineDraft]) -> None:
    QuoteLine.objects.bulk_create(
        QuoteLine(
            workspace_id=version.workspace_id, version=version, position=place, product=one.product, text=one.text,
            more=one.more, quantity=one.quantity, unit_price=one.unit_price, discount=one.discount,
            tax_rate=one.tax_rate, net=net_of(one),
        )
        for place, one in enumerate(lines)
    )  # fmt: skip
