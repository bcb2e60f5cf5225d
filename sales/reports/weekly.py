"""What sales says in the owner's weekly letter."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Sum

from funnel.leads.models import Lead
from funnel.ledger.models import Revenue
from funnel.outbox.models import Event
from funnel.overview.rows import channel_words
from funnel.overview.weekly import NAMED, Week
from funnel.templatetags.words import about, money, number, plural
from funnel.workspaces.models import Workspace
from funnel.workspaces.months import periods_at
from sales.negotiation.models import QuoteVersion
from sales.reports.cards import open_by_stage
from sales.reports.pace import Book, Pace

ROWS = 12
SOON = timedelta(days=7)


def of_sales(workspace: Workspace, week: Week, at: datetime) -> dict[str, Any]:
    """How the month and its quarter go, which quotes end, what is open, and what last week brought. SLOTS["weekly"]."""
    periods = periods_at(at, workspace)
    book = Book.of(periods["month"], workspace, wider=periods["quarter"])
    now, quarter = book.pace(periods["month"], at=at), book.pace(periods["quarter"], at=at)
    booked = [Revenue.objects.filter(**one.within("occurred_at", workspace)) for one in (week, week.before)]
    won = [rows.aggregate(sum=Sum("base_amount"))["sum"] or 0 for rows in booked]
    found: dict[str, Any] = {
        "rows": [
            ["Qualified", *_arrived("qualified_at", week, workspace)],
            ["Demos held", *_happened("demo_held", week, workspace)],
            ["Quotes sent", *_happened("quote_sent", week, workspace)],
            ["New customers", *_arrived("customer_since", week, workspace)],
            ["Won", *(money(amount, workspace.currency) for amount in won)],
        ],
        "needs": list(_ending(workspace, at)),
        "won": _won(booked[0], won[0], workspace),
    }
    if found["needs"]:
        found["tail"] = found["needs"][0].pop("tail")
    worth = open_by_stage(workspace)["all"]
    subs = []
    if not now.is_empty:
        found |= _said(now, workspace)
        subs.append(_sub(now, booked[0], won[0], workspace))
    if not quarter.is_empty:
        subs.append(_quarter(quarter, workspace.currency))
    if worth.many:
        subs.append(f"{plural(worth.many, 'open deal')}" + (f", worth {worth.words}." if worth.words else "."))
    if subs:
        found["sub"] = " ".join(subs)
    return found


def _said(now: Pace, workspace: Workspace) -> dict[str, str]:
    currency = workspace.currency
    if not now.target:
        head = f"{about(now.won, currency)} won in {now.period.name}"
        return {"head": head, "say": f"{head}."}
    head = f"{about(now.won, currency)} won of {about(now.target, currency)}"
    if now.ahead is None:
        return {"head": head, "say": f"{head}."}
    words = f"{about(abs(now.ahead), currency)} {'ahead of' if now.ahead >= 0 else 'behind'} an even pace"
    return {"head": head, "say": f"{head}. That is {words}."}


def _quarter(quarter: Pace, currency: str) -> str:
    said = f"The quarter: {about(quarter.won, currency)}"
    if quarter.target:
        said += f" of {about(quarter.target, currency)}"
    if quarter.target and quarter.ahead is not None:
        said += f", {about(abs(quarter.ahead), currency)} {'ahead' if quarter.ahead >= 0 else 'behind'}"
    return f"{said}."


def _sub(now: Pace, rows: Any, won: int, workspace: Workspace) -> str:
    said = ""
    if now.even is not None:
        over = f"{number(now.over)} of {number(now.days)} working days {'is' if now.over == 1 else 'are'} over"
        said = f"{over}; even pace would be {about(now.even, workspace.currency)}. "
    customers = rows.filter(corrects=None, corrected_by=None).values("lead").distinct().count()
    return f"{said}Last week brought {plural(customers, 'sale')} and {about(won, workspace.currency)}."


def _arrived(column: str, week: Week, workspace: Workspace) -> list[str]:
    return [number(Lead.objects.filter(**one.within(column, workspace)).count()) for one in (week, week.before)]


def _happened(kind: str, week: Week, workspace: Workspace) -> list[str]:
    found = Event.objects.in_force().filter(kind=kind)
    return [number(found.filter(**one.within("occurred_at", workspace)).count()) for one in (week, week.before)]


def _ending(workspace: Workspace, at: datetime) -> Any:
    """Quotes that run out within a week, the next one first."""
    ending = QuoteVersion.objects.running(at).filter(ends_at__lte=at + SOON)
    many = ending.count()
    if not many:
        return
    told = ending.whole().order_by("ends_at", "id")[:NAMED]
    named = [
        f"{one.quote.deal.lead}, {money(one.net, one.quote.currency)}, until {one.valid_until:%A}." for one in told
    ]
    own = ending.filter(quote__currency=workspace.currency)
    sums = f", {about(own.aggregate(sum=Sum('net'))['sum'], workspace.currency)} in all" if many == own.count() else ""
    words = f"{plural(many, 'quote')} {'ends' if many == 1 else 'end'} this week"
    if many > NAMED:
        named.append(f"And {number(many - NAMED)} more.")
    yield {
        "what": f"{words}{sums}.",
        "more": named,
        "tail": f"{plural(many, 'quote')} that {'ends' if many == 1 else 'end'} this week",
    }


def _won(rows: Any, total: int, workspace: Workspace) -> dict[str, Any] | None:
    """Customer, by whom, from where, for how much; the largest first, and what they come to."""
    kept = rows.filter(corrects=None, corrected_by=None)
    many = kept.count()
    found = list(kept.select_related("lead__source", "holder__user").order_by("-base_amount", "-pk")[:ROWS])
    if not found:
        return None
    told = [
        [
            str(row.lead),
            row.holder.first_name if row.holder else "",
            channel_words(row.lead.source.channel),
            money(row.base_amount, workspace.currency),
        ]
        for row in found
    ]
    if many > ROWS:
        rest = total - sum(row.base_amount for row in found)
        told.append([f"{number(many - ROWS)} more", "", "", money(rest, workspace.currency)])
    return {"rows": told, "total": money(total, workspace.currency)}
