"""Customers: the list, and what a customer's page says of what they brought. A fixed number of queries."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Sum, Window
from django.http import HttpRequest

from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.ledger.models import Revenue
from funnel.overview.paging import PAGE
from funnel.overview.ranking import Choice, listed
from funnel.overview.rows import UNKNOWN, basis_in_force, grades_of, next_of
from funnel.workspaces.models import SELLERS, Member
from sales.deals.models import Deal, DealStage
from sales.deals.page import deals_of

# As many bookings as a person looks through; what is older is one row.
BOOKED = 50


def list_of(request: HttpRequest) -> dict[str, Any]:
    """One page of customers: deals won, what they brought, what is next, with whom, and both scores."""
    member: Member = request.member  # type: ignore[attr-defined]
    words, mine = request.GET.get("q", "").strip()[:200], request.GET.get("is") == "mine"
    rows = Lead.objects.visible_to(member).filter(stage=Stage.CUSTOMER, customer_since__isnull=False)
    if mine:
        rows = rows.filter(holder=member)
    if words:
        rows = rows.found_by(words)
    asked, after = Choice.of(request.GET), request.GET.get("after", "")
    by: Any = {"basis": basis_in_force(), "at": request.at}  # type: ignore[attr-defined]
    rows = rows.select_related("holder__user")
    found, following = listed(asked, rows, "-customer_since", kind="customers", after=after, size=PAGE, **by)
    ids = [lead.pk for lead in found]
    grades = grades_of(ids, **by)
    won = dict(
        Deal.objects.filter(lead__in=ids, stage=DealStage.WON).order_by().values_list("lead").annotate(many=Count("pk"))
    )
    brought = dict(
        Revenue.objects.readable_by(member)
        .filter(lead__in=ids)
        .order_by()
        .values_list("lead")
        .annotate(sum=Sum("base_amount"))
    )
    steps = next_of(ids)
    here = {"q": words, "is": "mine" if mine else ""}
    return {
        "rows": [
            {
                "lead": lead,
                "grade": grades.get(lead.pk, UNKNOWN),
                "won": won.get(lead.pk, 0),
                "brought": brought.get(lead.pk),
                "next": steps.get(lead.pk, ""),
            }
            for lead in found
        ],
        "words": words,
        "mine": mine,
        "sells": member.role in SELLERS,
        "only_own": member.role == "rep",
        "currency": request.workspace.currency,  # type: ignore[attr-defined]
        "asked": asked,
        "says": f"Who bought, {asked.order_words or 'the latest first'}.",
        "everybody_url": asked.query(q=words) or "?",
        "mine_url": asked.query(**here | {"is": "mine"}),
        "unbanded_url": asked.query(**here | {"band": ""}) or "?",
        "next_url": asked.query(**here | {"after": following}) if following else "",
        "is_first": not after,
    }


def lead_panel(request: HttpRequest, lead: Lead) -> dict[str, Any] | None:
    """What a customer brought, in total and booking by booking: SLOTS["lead_panels"]."""
    if lead.stage != Stage.CUSTOMER:
        return None
    member: Member = request.member  # type: ignore[attr-defined]
    booked = Revenue.objects.readable_by(member).filter(lead=lead)
    counted = booked.annotate(many=Window(Count("pk")), sum=Window(Sum("base_amount")))
    rows = list(counted.select_related("holder__user").order_by("-occurred_at", "-recorded_at", "-id")[:BOOKED])
    total = rows[0].sum if rows else None
    rest = rows[0].many - len(rows) if rows else 0
    deals = deals_of(lead)
    return {
        "side": "left",
        "template": "sales/_customer_panel.html",
        "context": {
            "lead": lead,
            "currency": request.workspace.currency,  # type: ignore[attr-defined]
            "total": total,
            "rows": rows,
            "rest": rest,
            "rest_sum": total - sum(one.base_amount for one in rows) if rest else 0,
            "won": sum(one.stage == DealStage.WON for one in deals),
            "open": sum(one.is_open for one in deals),
            "only_own": member.role == "rep",
        },
    }
