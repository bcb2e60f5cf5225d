"""One campaign's page: where its leads are now, its sources, who came, what sales gave back and lost, its money."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Exists, OuterRef

from funnel.leads.models import Lead, LeadQuerySet
from funnel.leads.stages import ENDED, MARKETING, SALES, Stage
from funnel.ledger.models import Cost
from funnel.overview.paging import beyond, cursor, read
from funnel.overview.ranking import Choice, ranked
from funnel.overview.rows import channel_words, rows_of
from funnel.workspaces.asking import Asked, together
from funnel.workspaces.roles import may
from marketing.campaigns.models import Campaign
from marketing.capture.models import Form, Submission
from marketing.channels.models import Channel
from marketing.reports import feedback
from marketing.reports.figures import CAMPAIGN, CHANNEL, CHANNEL_NAME, Figures, brought, costs, received, summed, whole

PAGE, COSTS_SHOWN, FORMS_SHOWN = 20, 50, 5
# How a source reads on the page: the channel it belongs to, and the placement it named.
SOURCE = (CHANNEL_NAME, "source__placement")


def _leads(campaign: UUID) -> LeadQuerySet:
    return received(None).filter(**{CAMPAIGN: campaign})


def _back(campaign: UUID) -> Any:
    return feedback.handoffs_back(None).filter(**{f"lead__{CAMPAIGN}": campaign})


def _costs(campaign: UUID) -> Any:
    where: dict[str, Any] = {CAMPAIGN: campaign}
    return costs(None, **where)


def _open_forms() -> Any:
    """The open forms, and whether each holds something back."""
    held = Submission.objects.held().filter(form=OuterRef("pk"))
    return Form.objects.filter(is_open=True).annotate(holds=Exists(held))


CHANNELS = Asked(lambda campaign: Channel.objects.filter(campaigns=campaign), UUID)
STAGES = Asked(lambda campaign: _leads(campaign).order_by().values_list("stage").annotate(many=Count("pk")), UUID)
BACK = Asked(lambda campaign: feedback.latest_back(_back(campaign)), UUID)
REASONS_BACK = Asked(lambda campaign: feedback.reasons_back(_back(campaign)), UUID)
LOST = Asked(lambda campaign: feedback.latest_losses(feedback.losses(_leads(campaign))), UUID)
REASONS_LOST = Asked(lambda campaign: feedback.reasons_lost(feedback.losses(_leads(campaign))), UUID)
COSTS = Asked(
    lambda campaign: (
        _costs(campaign).select_related("by__user", "corrected_by").order_by("-occurred_at", "-id")[:COSTS_SHOWN]
    ),
    UUID,
)
MANY_COSTS = Asked(lambda campaign: _costs(campaign).order_by().values_list(CAMPAIGN).annotate(many=Count("pk")), UUID)
OWN_FORMS = Asked(lambda campaign: _open_forms().filter(campaign=campaign).order_by("-created_at")[:FORMS_SHOWN], UUID)
FIRST_FORM = Asked(lambda: _open_forms().order_by("created_at")[:1])
OF_CAMPAIGN = (CHANNELS, STAGES, BACK, REASONS_BACK, LOST, REASONS_LOST, COSTS, MANY_COSTS, OWN_FORMS)


def of(request: Any, one: Campaign) -> dict[str, Any]:
    """Everything that the page says, its lists by one statement."""
    workspace, member, at = request.workspace, request.member, request.at
    (
        channels, stages, back, reasons_back, lost, reasons_lost, spent, many_costs, own_forms, any_form,
    ) = together([*((asked, [[one.pk]]) for asked in OF_CAMPAIGN), (FIRST_FORM, [])])  # fmt: skip
    by_stage = dict(stages)
    where: dict[str, Any] = {CAMPAIGN: one.pk}
    sources = brought(None, *SOURCE, CHANNEL, member=member, **where)
    total = whole(row["figures"] for row in sources)
    asked = Choice.of(request.GET)
    came, more = _came(_leads(one.pk), asked, at=at, after=request.GET.get("after", ""))
    rows = rows_of(came, at=at, workspace=workspace, may_go=may(member, "leads.go"))
    return {
        "campaign": one,
        "channels": channels,
        "today": workspace.local(at).date(),
        "currency": workspace.currency,
        "total": total,
        "sees_won": may(member, "revenue"),
        "legs": _legs(by_stage, total),
        "ended": _ended(by_stage),
        "sources": _sources(sources),
        "money": _money(one, sources, spent, sum(many for _, many in many_costs))
        | {"may_change": may(member, "costs.change")},
        "links": _links(one, own_forms or any_form, channels),
        "came": list(zip(rows, [_came_by(lead) for lead in came], strict=True)),
        "next_url": asked.query(after=more) if more else "",
        "asked": asked,
        "back": feedback.told(back, at=at),
        "reasons": feedback.by_reason(reasons_back),
        "lost": feedback.told_losses(lost, at=at),
        "lost_reasons": feedback.by_reason(reasons_lost),
        "may_change": may(member, "campaigns.change"),
    }


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


def _money(one: Campaign, rows: list[dict[str, Any]], spent: list[Cost], many: int) -> dict[str, Any]:
    """What it cost and earned by channel, with the latest of its many costs."""
    names = {row[CHANNEL]: row[SOURCE[0]] for row in rows}
    channels = [(key, names[key], figures) for key, figures in summed(rows, CHANNEL).items()]
    return {
        "channels": sorted(channels, key=lambda row: (-row[2].cost, -row[2].revenue, row[1])),
        "costs": spent,
        "more": many - len(spent),
        **_budget(one, sum(figures.cost for *_, figures in channels)),
    }


def _budget(one: Campaign, spent: int) -> dict[str, int]:
    if one.budget is None:
        return {}
    return {"left": max(one.budget - spent, 0), "over": max(spent - one.budget, 0)}


def _came_by(lead: Lead) -> str:
    return ", ".join(part for part in (channel_words(lead.source.channel), lead.source.placement) if part)


def _links(one: Campaign, forms: Sequence[Any], channels: Sequence[Channel]) -> list[dict[str, Any]]:
    """Addresses of forms, tagged so that who comes by them counts for this campaign, and what each holds back."""
    ways: list[Channel | None] = [*channels] or [None]
    links: list[dict[str, Any]] = []
    for form in forms:
        for place, channel in enumerate(ways):
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
