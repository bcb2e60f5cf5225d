"""The campaigns: their list, one campaign's page, and its plan."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Exists, OuterRef
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from funnel.leads.models import Lead, LeadQuerySet
from funnel.leads.stages import ENDED, MARKETING, SALES, Stage
from funnel.overview.paging import beyond, cursor, read
from funnel.overview.ranking import Choice, ranked
from funnel.overview.rows import channel_words, rows_of
from funnel.workspaces.roles import allow, may
from marketing.campaigns import actions
from marketing.campaigns.forms import CampaignForm
from marketing.campaigns.models import Campaign, Placement
from marketing.capture.models import Form, Submission
from marketing.channels.models import Channel
from marketing.reports.feedback import by_reason, handoffs_back, losses, losses_by_reason, told, told_losses
from marketing.reports.figures import CAMPAIGN, CHANNEL, CHANNEL_NAME, Figures, brought, costs, received, summed, whole

PAGE, COSTS_SHOWN = 20, 50
# How a source reads on the page: the channel it belongs to, and the placement it named.
SOURCE = (CHANNEL_NAME, "source__placement")


@require_safe
@allow("read")
def campaigns(request: Any) -> HttpResponse:
    """All campaigns, the latest first, with what each has brought."""
    rows = Campaign.objects.prefetch_related("channels").order_by("-created_at", "-id")
    if seen := read("campaigns", request.GET.get("after", ""), 2):
        rows = rows.filter(beyond("created_at", "pk", seen, falling=True))
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]
    where: dict[str, Any] = {f"{CAMPAIGN}__in": [one.pk for one in shown]}
    figures = {row[CAMPAIGN]: row["figures"] for row in brought(None, CAMPAIGN, member=request.member, **where)}
    more = len(found) > PAGE and cursor("campaigns", shown[-1].created_at, shown[-1].pk)
    context = {
        "rows": [(one, figures.get(one.pk, Figures())) for one in shown],
        "currency": request.workspace.currency,
        "sees_won": may(request.member, "revenue"),
        "today": request.workspace.local(request.at).date(),
        "next_url": f"?after={more}" if more else "",
        "may_change": may(request.member, "campaigns.change"),
        "new": Placement.objects.to_look_at().count(),
    }
    return render(request, "marketing/campaigns.html", context)


@require_safe
@allow("read")
def campaign(request: Any, pk: UUID) -> HttpResponse:
    """One campaign: where its leads are now, what it says, its sources, who came, and what sales gave back."""
    one = get_object_or_404(Campaign.objects.prefetch_related("channels"), pk=pk)
    leads = received(None).filter(**{CAMPAIGN: one.pk})
    by_stage = dict(leads.order_by().values_list("stage").annotate(many=Count("pk")))
    sources = brought(None, *SOURCE, CHANNEL, member=request.member, **{CAMPAIGN: one.pk})
    total = whole(row["figures"] for row in sources)
    back = handoffs_back(None).filter(**{f"lead__{CAMPAIGN}": one.pk})
    lost = losses(leads)
    asked = Choice.of(request.GET)
    came, more = _came(leads, asked, at=request.at, after=request.GET.get("after", ""))
    context = {
        "campaign": one,
        "today": request.workspace.local(request.at).date(),
        "currency": request.workspace.currency,
        "total": total,
        "sees_won": may(request.member, "revenue"),
        "legs": _legs(by_stage, total),
        "ended": _ended(by_stage),
        "sources": _sources(sources),
        "money": _money(one, sources, may_change=may(request.member, "costs.change")),
        "links": _links(one),
        "came": list(
            zip(
                rows_of(came, at=request.at, workspace=request.workspace, may_go=may(request.member, "leads.go")),
                [_came_by(lead) for lead in came],
                strict=True,
            )
        ),
        "next_url": asked.query(after=more) if more else "",
        "asked": asked,
        "back": told(back, at=request.at),
        "reasons": by_reason(back),
        "lost": told_losses(lost, at=request.at),
        "lost_reasons": losses_by_reason(lost),
        "may_change": may(request.member, "campaigns.change"),
    }
    return render(request, "marketing/campaign.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@allow("campaigns.change")
def add(request: Any) -> HttpResponse:
    """Plan a campaign."""
    form = CampaignForm(request.POST or None, workspace=request.workspace)
    if request.method == "POST" and form.is_valid():
        new = Campaign(workspace=request.workspace, **form.changes)
        try:
            actions.start_campaign(new, form.cleaned_data["channels"], by=request.member, at=request.at)
        except actions.NameTaken as refused:
            form.add_error("name", refused.sentence)
        else:
            messages.success(request, f"“{new.name}” is planned.")
            return redirect("marketing:campaign", new.pk)
    return render(request, "marketing/campaign_edit.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@allow("campaigns.change")
def edit(request: Any, pk: UUID) -> HttpResponse:
    """Change a campaign's plan."""
    one = get_object_or_404(Campaign, pk=pk)
    form = CampaignForm(request.POST or None, workspace=request.workspace, campaign=one)
    if request.method == "POST" and form.is_valid():
        actions.change_campaign(one, form.changes, form.cleaned_data["channels"], by=request.member, at=request.at)
        messages.success(request, "Saved.")
        return redirect("marketing:campaign", one.pk)
    context = {"form": form, "campaign": one}
    return render(request, "marketing/campaign_edit.html", context, status=422 if form.errors else 200)


def _came(leads: LeadQuerySet, asked: Choice, *, at: datetime, after: str) -> tuple[list[Lead], str]:
    """One page of who came, the latest first or by their scores, and the cursor of the next or a blank."""
    shown = leads.select_related("holder__user", "source")
    if asked.order:
        return ranked(asked, shown, kind="came", at=at, after=after, within=leads, size=PAGE)
    came = asked.narrowed(shown, at).order_by("-received_at", "-id")
    if seen := read("came", after, 2):
        came = came.filter(beyond("received_at", "pk", seen, falling=True))
    found = list(came[: PAGE + 1])
    more = len(found) > PAGE and cursor("came", found[PAGE - 1].received_at, found[PAGE - 1].pk)
    return found[:PAGE], more or ""


def _legs(by_stage: dict[str, int], total: Figures) -> list[dict[str, Any]]:
    """The way with how many of the campaign's leads stand at each stage, for components/way.html."""

    def stop(stage: Stage) -> dict[str, Any]:
        return {"label": stage.label, "count": by_stage.get(stage, 0), "state": "done"}

    marketing = sum(by_stage.get(stage, 0) for stage in MARKETING)
    selling = sum(by_stage.get(stage, 0) for stage in SALES)
    later = [stage for stage in SALES if by_stage.get(stage) or stage == Stage.WORKING]
    back = f"{total.given_back} given back" if total.given_back else ""
    return [
        {
            "side": "marketing",
            "holder": f"Marketing {marketing}",
            "note": back,
            "stops": [stop(stage) for stage in MARKETING],
        },
        {"side": "hall", "holder": f"Handoff {by_stage.get(Stage.READY, 0)}", "stops": [stop(Stage.READY)]},
        {"side": "sales", "holder": f"Sales {selling}", "stops": [stop(one) for one in (*later, Stage.CUSTOMER)]},
    ]


def _ended(by_stage: dict[str, int]) -> str:
    """Those that are nowhere on the way, in words."""
    return ", ".join(
        f"{by_stage[stage]} {Stage(stage).label.lower()}"
        for stage in ENDED
        if stage != Stage.CUSTOMER and by_stage.get(stage)
    )


def _sources(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each of the campaign's sources brought, the most leads first; its costs stand by channel."""
    named = [
        {"channel": row[SOURCE[0]], "placement": row[SOURCE[1]], "figures": row["figures"]}
        for row in rows
        if row["figures"].leads
    ]
    return sorted(named, key=lambda row: (-row["figures"].leads, row["channel"], row["placement"]))


def _money(one: Campaign, rows: list[dict[str, Any]], *, may_change: bool) -> dict[str, Any]:
    """What it cost and earned by channel, with the costs behind it."""
    names = {row[CHANNEL]: row[SOURCE[0]] for row in rows}
    channels = [(key, names[key], figures) for key, figures in summed(rows, CHANNEL).items()]
    where: dict[str, Any] = {CAMPAIGN: one.pk}
    spent = costs(None, **where)
    found = spent.select_related("by__user", "corrected_by").order_by("-occurred_at", "-id")[: COSTS_SHOWN + 1]
    return {
        "channels": sorted(channels, key=lambda row: (-row[2].cost, -row[2].revenue, row[1])),
        "costs": list(found[:COSTS_SHOWN]),
        "more": max(spent.count() - COSTS_SHOWN, 0) if len(found) > COSTS_SHOWN else 0,
        "may_change": may_change,
        **_budget(one, sum(figures.cost for *_, figures in channels)),
    }


def _budget(one: Campaign, spent: int) -> dict[str, int]:
    if one.budget is None:
        return {}
    return {"left": max(one.budget - spent, 0), "over": max(spent - one.budget, 0)}


def _came_by(lead: Lead) -> str:
    return ", ".join(part for part in (channel_words(lead.source.channel), lead.source.placement) if part)


def _links(one: Campaign) -> list[dict[str, Any]]:
    """Addresses of its forms, tagged so that who comes by them counts for this campaign, and what each holds back."""
    open_ = Form.objects.filter(is_open=True).annotate(
        holds=Exists(Submission.objects.held().filter(form=OuterRef("pk")))
    )
    own = open_.filter(campaign=one).order_by("-created_at")
    forms = list(own[:5]) or list(open_.order_by("created_at")[:1])
    channels: list[Channel | None] = [*one.channels.all()] or [None]
    links: list[dict[str, Any]] = []
    for form in forms:
        for place, channel in enumerate(channels):
            tags = {"utm_medium": channel.key, "utm_campaign": one.tag} if channel else {"c": one.tag}
            links.append(
                {
                    "id": f"link-{len(links)}",
                    "form": form.name,
                    "channel": channel.name if channel else "Any channel",
                    "url": f"{settings.PUBLIC_URL}{form.path}?{urlencode(tags)}",
                    "held_by": form.pk if form.holds and not place else "",
                }
            )
    return links
