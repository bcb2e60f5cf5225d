"""A deal's page, and what sales adds to the lead's page and the desk about deals."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from funnel.leads import known
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.outbox.models import Event
from funnel.overview import lead_story as story
from funnel.overview.lead import shown_phone
from funnel.overview.rows import next_of
from funnel.workspaces.asking import Asked
from funnel.workspaces.models import Member
from funnel.workspaces.roles import may
from funnel.workspaces.slots import slot
from sales.deals.ageing import DAY, in_days, latest_in_time, usual_stay
from sales.deals.board import may_change
from sales.deals.models import OPEN, Deal, DealStage

# As many deals as anybody has with one lead, and so much of what is beside a deal.
MOST, TOLD, SHOWN = 200, 60, 20


def deal_of(pk: UUID) -> Deal:
    """The deal with what its page names; 404 for another business's."""
    found: Deal = get_object_or_404(Deal.objects.told().select_related("lead__source", "lost_reason"), pk=pk)
    return found


def page_of(request: HttpRequest, deal: Deal) -> dict[str, Any]:
    """Everything of the page in a fixed number of queries."""
    member: Member = request.member  # type: ignore[attr-defined]
    at: datetime = request.at  # type: ignore[attr-defined]
    lead = deal.lead
    usual = usual_stay() if deal.is_open else {}
    line = latest_in_time(deal.stage, usual, at)
    allowed = may_change(member, deal)
    return {
        "deal": deal,
        "lead": lead,
        "phone": shown_phone(lead.phone, lead.workspace.country) if lead.phone else "",
        "may": allowed,
        "may_undo": allowed and deal.undo_until is not None and at <= deal.undo_until,
        "onward": [stage for stage in OPEN if stage != deal.stage] if deal.is_open else [],
        "days_here": max((at - deal.stage_since) // DAY, 0),
        "usual": in_days(usual[deal.stage]) if deal.stage in usual else "",
        "is_late": line is not None and deal.stage_since < line,
        # As on the lead's page: what was planned with who is lost stays only for who takes the loss back.
        "next_step": next_of([lead.pk]).get(lead.pk, "") if lead.stage in (*SALES, Stage.CUSTOMER) else "",
        "others": list(
            Deal.objects.filter(lead=lead)
            .exclude(pk=deal.pk)
            .select_related("holder__user")
            .order_by("-made_at")[:SHOWN]
        ),
        "panels": [panel for make in slot("deal_panels") if (panel := make(request, deal))],
        "entries": _story(deal),
    }


def _story(deal: Deal) -> list[story.Entry]:
    """What happened with this deal, latest first."""
    events = list(Event.objects.filter(lead=deal.lead_id, data__deal=str(deal.pk)).timeline()[:TOLD])
    moves = list(Event.objects.filter(lead=deal.lead_id, kind="moved").order_by("occurred_at", "id"))
    return story.entries(events, story.Way(deal.lead.received_at, moves), may_void=False)


def may_open(member: Member, lead: Lead) -> bool:
    """Whether the member may open a deal with this lead; the verb decides again."""
    return may(member, "deals.change") and (member.leads_others or lead.holder_id in (None, member.pk))


DEALS = Asked(
    lambda lead: (
        Deal.objects.filter(lead__in=[lead]).select_related("holder__user").order_by("-stage_since", "-id")[:MOST]
    ),
    UUID,
)


def deals_of(lead: Lead) -> list[Deal]:
    """The deals with a lead: open ones first, the furthest on top; then those that ended, latest first.

    They are read once for this instance of the lead, whichever panels ask.
    """
    rows: list[Deal] = known.of(lead, DEALS, keep=True)
    return sorted(rows, key=lambda one: -OPEN.index(DealStage(one.stage)) if one.is_open else 1)


def lead_panel(request: HttpRequest, lead: Lead) -> dict[str, Any] | None:
    """The panel "Deals" on the lead's page: SLOTS["lead_panels"]."""
    member: Member = request.member  # type: ignore[attr-defined]
    deals = deals_of(lead)
    opens = may_open(member, lead)
    if not deals and not opens:
        return None
    return {
        "side": "right",
        "template": "sales/_deals_panel.html",
        "context": {"lead": lead, "deals": deals, "may_open": opens},
    }


def desk_panel(request: HttpRequest, lead: Lead) -> dict[str, Any] | None:
    """The deals of the lead on the desk: SLOTS["desk_panels"]."""
    panel = lead_panel(request, lead)
    return panel if panel and (panel["context"]["deals"] or lead.holder_id) else None
