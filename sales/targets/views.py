"""The targets' page."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.db.models import Exists, OuterRef, Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from funnel.leads.models import Lead
from funnel.leads.stages import SALES
from funnel.workspaces.models import SELLERS, Member, Role
from funnel.workspaces.months import months_later
from funnel.workspaces.roles import allow
from sales.deals.models import Deal
from sales.targets.actions import EARLIEST, LATEST, set_target
from sales.targets.forms import TargetsForm
from sales.targets.models import Target, total


@require_http_methods(["GET", "HEAD", "POST"])
@allow("targets.change")
def targets(request: Any) -> HttpResponse:
    """The targets of a year, to be read and changed in one table."""
    this_year = request.workspace.local(request.at).year
    year = _year(request.GET.get("year", ""), this_year)
    months = [months_later(date(year, 1, 1), ahead) for ahead in range(12)]
    people = _people(months)
    form = TargetsForm(request.POST or None, workspace=request.workspace, months=months, people=people)
    if request.method == "POST" and form.is_valid():
        changed = sum(
            set_target(month, amount, member=member, by=request.member, at=request.at)
            for month, member, amount in form.changes()
        )
        messages.success(request, "Saved." if changed else "Nothing was changed.")
        return redirect(f"{reverse('sales:targets')}?year={year}")
    context = {
        "form": form,
        "year": year,
        "this_month": request.workspace.local(request.at).date().replace(day=1),
        "years": [one for one in (year - 1, year, year + 1) if EARLIEST <= one <= LATEST],
        "people": people,
        "sums": _sums(months, people),
        "currency": request.workspace.currency,
    }
    return render(request, "sales/targets.html", context, status=422 if form.errors else 200)


def _people(months: list[date]) -> list[Member]:
    """Whoever sells now, or had a target in these months.

    A rep sells, and whoever takes leads; an owner or a manager also by leads in sales that are with them, or by a deal.
    """
    had = set(Target.objects.filter(month__in=months, member__isnull=False).values_list("member", flat=True))
    at_work = Exists(Lead.objects.filter(holder=OuterRef("pk"), stage__in=SALES))
    dealt = Exists(Deal.objects.filter(holder=OuterRef("pk")))
    sells = Q(active=True) & (Q(takes_leads=True) | Q(role=Role.REP) | at_work | dealt)
    rows = Member.objects.filter(sells | Q(pk__in=had), role__in=SELLERS)
    return list(rows.select_related("user").order_by("joined_at", "pk"))


def _sums(months: list[date], people: list[Member]) -> list[tuple[str, list[int | None]]]:
    """What each quarter comes to, by column."""
    said = Target.objects.said(months)
    columns = [*(one.pk for one in people), None]
    quarters = [months[place : place + 3] for place in range(0, 12, 3)]
    return [
        (f"Quarter {place}", [total(said, quarter, whose) for whose in columns])
        for place, quarter in enumerate(quarters, start=1)
    ]


def _year(word: str, usual: int) -> int:
    return int(word) if word.isdecimal() and len(word) == 4 and EARLIEST <= int(word) <= LATEST else usual
