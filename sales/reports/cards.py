"""What sales shows on the owner's home."""

from __future__ import annotations

from typing import Any

from funnel.overview.known import Known
from funnel.workspaces.models import Workspace
from funnel.workspaces.months import asked, periods_at
from funnel.workspaces.tally import Asked
from sales.deals.models import Deal
from sales.deals.sums import Worth, grouped, together
from sales.reports.pace import Book, new_customers
from sales.reports.plot import plot_of


def counted(request: Any) -> Asked:
    """What `headline` has to know. SLOTS["home_counts"]."""
    return {"customers": (new_customers(asked(request), request.workspace), "")}


def headline(request: Any, known: Known) -> dict[str, Any] | None:
    """What was won against what was to be won, and below it day by day. SLOTS["home_headline"].

    None in a business that has neither yet, in a month's quarter either.
    """
    workspace, at, period = request.workspace, request.at, asked(request)
    # Beside a month stands its quarter.
    wider = periods_at(at, workspace)["quarter"] if period.key == "month" else None
    book = Book.of(period, workspace, wider=wider)
    now, days = book.pace(period, at=at), book.by_day()
    around = book.pace(wider, at=at) if wider else None
    if now.is_empty and not days and (around is None or around.is_empty):
        return None
    drawn = {
        "template": "sales/_won_by_day.html",
        "context": {
            "plot": plot_of(period, days, now.target, workspace=workspace, at=at),
            "pace": now,
            "currency": workspace.currency,
        },
    }
    return {
        "template": "sales/_pace.html",
        "context": {
            "pace": now,
            "wider": around,
            "customers": known.counts["customers"][""],
            "each": book.each(known.people.values()),
            "won": book.won(known.people),
            "currency": workspace.currency,
            "by_whom": True,
            "may_set": request.member.leads_others,
        },
        "below": drawn if days else None,
    }


def open_by_stage(workspace: Workspace) -> dict[str, Any]:
    """What the open deals are worth, by stage and in all, in words. SLOTS["stage_values"]."""
    rows = grouped(Deal.objects.open(), "stage")
    stages: dict[str, Worth] = {
        stage: together([row for row in rows if row["stage"] == stage], workspace.currency)
        for stage in {row["stage"] for row in rows}
    }
    return {"stages": stages, "all": together(rows, workspace.currency)}
