"""What sales can do with the price list and with quotes in the demo business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from funnel.leads.models import Lead
from funnel.ledger.money import read_amount
from funnel.workspaces.models import Member, Workspace
from sales.deals import actions as deals
from sales.deals.models import DealStage
from sales.negotiation import actions, answers, pricelist
from sales.negotiation.actions import LineDraft
from sales.negotiation.models import DeclineReason, Product, QuoteVersion, State
from sales.negotiation.reckoning import QUANTITY, read_percent


def verbs(workspace: Workspace) -> dict[str, Callable[..., Any]]:
    """The verbs by the names that the scene uses."""
    return {"product": product, "quote": quote, "answer_quote": answer}


def product(name: str, description: str, pounds: str, tax: str, *, by: Member, at: datetime) -> None:
    """Put a product on the price list."""
    made = Product(name=name, description=description, tax_rate=read_percent(tax))
    pricelist.add(made, {by.workspace.currency: read_amount(pounds, by.workspace.currency)}, by=by, at=at)


def quote(
    lead: Lead,
    *,
    title: str,
    amount: int,
    words: str,
    until: date,
    tax: str,
    lines: Sequence[tuple[str, int]],
    sends: bool = True,
    by: Member,
    at: datetime,
) -> None:
    """Write a quote that comes to so much net, and send it: products of the price list, and what is left as work."""
    deal = deals.first_open(lead)
    if deal is None:
        deal = deals.open_deal(lead, by=by, at=at, title=title, amount=amount, stage=DealStage.DEMO)
    currency, rate, left, drafts = by.workspace.currency, read_percent(tax), amount, []
    for name, many in lines:
        found = Product.objects.get(name=name)
        price = found.prices.get(currency=currency).amount
        if many * price < left:
            drafts.append(LineDraft(name, many * QUANTITY, price, 0, rate, found.description, found))
            left -= many * price
    drafts.append(LineDraft("Planning, fitting and papers", QUANTITY, left, 0, rate, "At a fixed price"))
    made = actions.draft(deal, drafts, by=by, at=at, title=title, words=words, valid_until=until)
    if sends:
        actions.send(made, by=by, at=at)


def answer(lead: Lead, how: str, *, words: str = "", at: datetime) -> None:
    """Let the lead accept, decline or ask about the quote that is open."""
    version = QuoteVersion.objects.whole().filter(quote__deal__lead=lead, state=State.SENT).first()
    if version is None or version.state_at(at) != State.SENT:
        return
    if how == "accept":
        answers.accept(version, signed=str(lead), at=at)
    elif how == "decline":
        answers.decline(version, reason=DeclineReason.PRICE, note=words, at=at)
    else:
        answers.ask(version, question=words, at=at)
