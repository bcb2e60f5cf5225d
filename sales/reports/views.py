"""My month: what I won against my target, and what stands in it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from funnel.workspaces.months import asked, periods_at
from funnel.workspaces.roles import allow
from funnel.workspaces.slots import slot
from sales.reports.pace import by_day, new_customers, pace, rows_of
from sales.reports.plot import plot_of


@require_safe
@allow("deals.change")
def month(request: Any) -> HttpResponse:
    """The reader's own month or quarter."""
    member, workspace, at, period = request.member, request.workspace, request.at, asked(request)
    now = pace(period, workspace=workspace, at=at, member=member)
    wider = periods_at(at, workspace)["quarter"] if period.key == "month" else None
    found = by_day(period, workspace=workspace, member=member)
    own = {"pace": now, "currency": workspace.currency}
    context = {
        "period": period,
        "periods": periods_at(at, workspace).values(),
        "today": workspace.local(at),
        "nothing": now.target is None and not now.won,
        "card": own
        | {
            "wider": pace(wider, workspace=workspace, at=at, member=member) if wider else None,
            "customers": new_customers(period, workspace, member),
            "won": rows_of(period, workspace=workspace, member=member),
            "may_set": member.leads_others,
        },
        "days": own | {"plot": plot_of(period, found, now.target, workspace=workspace, at=at)} if found else None,
        "cards": [card for card in (plugged(request) for plugged in slot("month_cards")) if card],
    }
    return render(request, "sales/month.html", context)
