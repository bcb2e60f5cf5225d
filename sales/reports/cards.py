"""What sales shows on the owner's home."""

from __future__ import annotations

from typing import Any

from funnel.workspaces.models import Workspace
from funnel.workspaces.months import asked, periods_at
from sales.deals.models import Deal
from sales.deals.sums import Worth, grouped, together
from sales.reports.pace import by_day, each, new_customers, pace, rows_of
from sales.reports.plot import plot_of


def headline(request: Any) -> dict[str, Any] | None:
    """What was won against what was to be won; None in a business that has neither yet. SLOTS["home_headline"]."""
    workspace, at, period = request.workspace, request.at, asked(request)
    now = pace(period, workspace=workspace, at=at)
    if now.target is None and not now.won:
        return None
    # Beside a month stands its quarter.
    wider = periods_at(at, workspace)["quarter"] if period.key == "month" else None
    return {
        "template": "sales/_pace.html",
        "context": {
            "pace": now,
            "wider": pace(wider, workspace=workspace, at=at) if wider else None,
            "customers": new_customers(period, workspace),
            "each": each(period, workspace=workspace),
            "won": rows_of(period, workspace=workspace),
            "currency": workspace.currency,
            "by_whom": True,
            "may_set": request.member.leads_others,
        },
    }


def won_by_day(request: Any) -> dict[str, Any] | None:
    """The days of the period as a drawing. SLOTS["home_cards"]."""
    workspace, period = request.workspace, asked(request)
    found = by_day(period, workspace=workspace)
    if not found:
        return None
    now = pace(period, workspace=workspace, at=request.at)
    return {
        "template": "sales/_won_by_day.html",
        "context": {
            "plot": plot_of(period, found, now.target, workspace=workspace, at=request.at),
            "pace": now,
            "currency": workspace.currency,
        },
    }


def open_by_stage(workspace: Workspace) -> dict[str, Any]:
    """What the open deals are worth, by stage and in all, in words. SLOTS["stage_values"]."""
    rows = grouped(Deal.objects.open(), "stage")
    stages: dict[str, Worth] = {
        stage: together([row for row in rows if row["stage"] == stage], workspace.currency)
        for stage in {row["stage"] for row in rows}
    }
    return {"stages": stages, "all": together(rows, workspace.currency)}
