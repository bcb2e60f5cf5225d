"""Marketing's home: what campaigns and channels brought, and what sales gave back."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from funnel.handoff.models import Question
from funnel.workspaces.roles import allow, may
from marketing.campaigns.models import Campaign, Placement
from marketing.capture.models import Submission
from marketing.channels.models import Channel
from marketing.reports.feedback import by_reason, handoffs_back, latest_back, reasons_back, told
from marketing.reports.figures import (
    CAMPAIGN,
    CHANNEL,
    PERIODS,
    Figures,
    begins,
    brought,
    summed,
    whole,
)

SHOWN, NEW_SHOWN = 20, 3


@require_safe
@allow("read")
def home(request: Any) -> HttpResponse:
    """What marketing brought in the month, the quarter, or ever."""
    period = request.GET.get("period", "quarter")
    if period not in PERIODS:
        period = "quarter"
    since = begins(period, request.workspace, request.at)
    rows = brought(since, CAMPAIGN, CHANNEL, member=request.member)
    names = dict(Channel.objects.values_list("pk", "name"))
    total = whole(row["figures"] for row in rows)
    back = handoffs_back(since)
    channels = [
        {"pk": key, "name": names.get(key, "Being sorted"), "figures": figures}
        for key, figures in summed(rows, CHANNEL).items()
    ]
    channels.sort(key=lambda row: (-row["figures"].leads, row["name"]))
    new = list(Placement.objects.to_look_at().told()[: NEW_SHOWN + 1])
    context = {
        "period": period,
        "periods": PERIODS,
        "since": since,
        "today": request.workspace.local(request.at),
        "total": total,
        "campaigns": _campaigns(rows, names, request),
        "channels": channels,
        "currency": request.workspace.currency,
        "sees_won": may(request.member, "revenue"),
        "may_cost": may(request.member, "costs.change"),
        "most": max((row["figures"].leads for row in channels), default=0),
        "back": told(latest_back(back), at=request.at),
        "reasons": by_reason(reasons_back(back)),
        "new": new[:NEW_SHOWN],
        "more_new": len(new) > NEW_SHOWN,
        "held": list(
            Submission.objects.held().order_by("-received_at").select_related("form").only("id", "form__name")[:1]
        ),
        "may_change": may(request.member, "campaigns.change"),
        "questions": Question.objects.open().count(),
    }
    return render(request, "marketing/home.html", context)


def _campaigns(rows: list[dict[str, Any]], names: dict[Any, str], request: Any) -> dict[str, Any]:
    """The campaigns that brought somebody or run today, the most leads first; what is left out is one row."""
    figures = summed(rows, CAMPAIGN)
    today = request.workspace.local(request.at).date()
    found = {one.pk: one for one in Campaign.objects.filter(pk__in=[key for key in figures if key])}
    running = list(Campaign.objects.running(today).order_by("-created_at")[:SHOWN])
    found |= {one.pk: one for one in running}
    ordered = sorted(found.values(), key=lambda one: (-figures.get(one.pk, Figures()).leads, one.name))
    used: dict[Any, list[str]] = {}
    for row in sorted(rows, key=lambda row: -row["figures"].leads):
        used.setdefault(row[CAMPAIGN], []).append(names.get(row[CHANNEL], "Being sorted"))
    return {
        "rows": [(one, figures.get(one.pk, Figures()), ", ".join(used.get(one.pk, [])[:4])) for one in ordered[:SHOWN]],
        "others": len(ordered) - SHOWN,
        "rest": whole(figures.get(one.pk, Figures()) for one in ordered[SHOWN:]),
        "none": figures.get(None, Figures()),
        "none_channels": ", ".join(used.get(None, [])[:4]),
        "running": sum(1 for one in running if one.starts_on or one.ends_on),
    }
