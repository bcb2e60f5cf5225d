"""The questions on the desk and on the lead's page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.overview.back import go_back, way_back
from funnel.workspaces.models import Member
from funnel.workspaces.roles import allow, may
from sales.deals.page import deals_of
from sales.qualification import actions
from sales.qualification.forms import AnswersForm
from sales.qualification.models import Met
from sales.qualification.offers import offers_for


@allow("deals.change")
@require_POST
def qualify(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Keep the answers; with `qualify` say that the lead is qualified, or what is missing."""
    member, at = request.member, request.at  # type: ignore[attr-defined]
    seen = Lead.objects.visible_to(member).select_related("holder__user", "workspace")
    lead: Lead = get_object_or_404(seen, pk=pk)
    back = reverse("lead", args=[pk])
    standings = actions.standing(lead)
    form = AnswersForm(request.POST, standings=standings, offers=offers_for(lead, [one.question for one in standings]))
    if not form.is_valid():
        context = _form(member, lead, standings, form, way_back(request) or f"{back}#qualification")
        return render(request, "sales/qualify.html", context, status=422)
    actions.answer(lead, form.said(), by=member, at=at)
    if "qualify" not in request.POST:
        messages.success(request, "The answers are saved.")
        return go_back(request, back)
    try:
        deal = actions.qualify(lead, by=member, at=at, overrule=" ".join(form.cleaned_data["overrule"].split()))
    except actions.NotQualified as refusal:
        messages.warning(request, f"The answers are saved. {refusal.sentence}")
        return _to_the_top(request, back)
    said = '<span>{} is qualified. A deal is open: <a href="{}"><bdi>{}</bdi></a>.</span>'
    messages.success(request, format_html(said, lead, reverse("sales:deal", args=[deal.pk]), deal.title))
    return go_back(request, back)


def _to_the_top(request: HttpRequest, otherwise: str) -> HttpResponse:
    """Where the form came from, at the place where a refusal stands."""
    return redirect((way_back(request) or otherwise).partition("#")[0] + "#main")


def lead_panel(request: HttpRequest, lead: Lead) -> dict[str, Any] | None:
    """What is known, and what is to be asked: SLOTS["lead_panels"]."""
    return _panel(request, lead, reverse("lead", args=[lead.pk]))


def desk_panel(request: HttpRequest, lead: Lead) -> dict[str, Any] | None:
    """The same under the lead on the desk: SLOTS["desk_panels"]."""
    return _panel(request, lead, f"{reverse('sales:desk')}?lead={lead.pk}")


def _form(
    member: Member, lead: Lead, standings: list[actions.Standing], form: AnswersForm, back: str
) -> dict[str, Any]:
    return {
        "lead": lead,
        "form": form,
        "next": back,
        "may_overrule": bool(actions.missing(standings)) and member.leads_others,
        "is_open": lead.stage != Stage.WORKING and any(one.is_open for one in deals_of(lead)),
    }


def _panel(request: HttpRequest, lead: Lead, back: str) -> dict[str, Any] | None:
    member: Member = request.member  # type: ignore[attr-defined]
    if lead.stage not in (*SALES, Stage.CUSTOMER):
        return None
    standings = actions.standing(lead)
    lacks = actions.missing(standings)
    works = may(member, "deals.change") and lead.holder_id is not None
    works = works and (lead.holder_id == member.pk or member.leads_others)
    answered = any(one.answer for one in standings)
    # Whoever has a deal has shown enough; what was answered stays readable.
    asks = lead.stage == Stage.WORKING or (lead.stage in SALES and bool(lacks))
    if not standings or not (answered or (asks and works)):
        return None
    context: dict[str, Any] = {
        "lead": lead,
        "standings": standings,
        "met": sum(one.met == Met.MET for one in standings),
        "missing": lacks if asks else [],
        "begun": answered and lead.stage == Stage.WORKING,
    }
    if works:
        offers = offers_for(lead, [one.question for one in standings])
        form = AnswersForm(standings=standings, offers=offers)
        context |= _form(member, lead, standings, form, f"{back}#qualification")
    return {"side": "left", "template": "sales/_qualification.html", "context": context}
