"""My month: what I won against my target, and what stands in it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from funnel.workspaces.months import asked, periods_at
from funnel.workspaces.roles import allow
from funnel.workspaces.slots import slot
from sales.reports.pace import Book, new_customers
from sales.reports.plot import plot_of


@require_safe
@allow("deals.change")
def month(request: Any) -> HttpResponse:
    """The reader's own month or quarter."""
    member, workspace, at, period = request.member, request.workspace, request.at, asked(request)
    wider = periods_at(at, workspace)["quarter"] if period.key == "month" else None
    book = Book.of(period, workspace, member, wider=wider)
    now, found = book.pace(period, at=at), book.by_day()
    around = book.pace(wider, at=at) if wider else None
    own = {"pace": now, "currency": workspace.currency}
    context = {
        "period": period,
        "periods": periods_at(at, workspace).values(),
        "today": workspace.local(at),
        "nothing": now.is_empty and (around is None or around.is_empty),
        "card": own
        | {
            "wider": around,
            "customers": new_customers(period, workspace, member).count(),
            "won": book.won({member.pk: member}),
            "may_set": member.leads_others,
        },
        "days": own | {"plot": plot_of(period, found, now.target, workspace=workspace, at=at)} if found else None,
        "cards": [card for card in (plugged(request) for plugged in slot("month_cards")) if card],
    }
    return render(request, "sales/month.html", context)
