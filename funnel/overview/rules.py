"""The rules in force as sentences; nothing can be changed here."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from django.db.models import Case, Count, IntegerField, Value, When
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from funnel.handoff.models import GiveBackReason
from funnel.leads.models import Lead
from funnel.leads.stages import MARKETING, Stage
from funnel.overview.rows import basis_in_force
from funnel.scoring.models import BANDS, LeadScore
from funnel.scoring.rules import labels_for, sentence
from funnel.templatetags.words import number
from funnel.workspaces.roles import allow


def spans(cuts: list[float]) -> list[str]:
    """The engagement bands in words: under 10, 10 to 25, 25 to 50, 50 and more."""
    between = [f"{number(low)} to {number(high)}" for low, high in pairwise(cuts)]
    return [f"under {number(cuts[0])}", *between, f"{number(cuts[-1])} and more"]


def fit_spans(bands: dict[str, int]) -> dict[str, str]:
    """The fit bands in words: 70 and more, 50 to 69, 25 to 49, under 25."""
    words, above = {}, None
    for band, line in bands.items():
        words[band] = f"{line} and more" if above is None else f"{line} to {above - 1}"
        above = line
    return words | {"D": f"under {above}"}


@require_safe
@allow("read")
def rules(request: Any) -> HttpResponse:
    """What makes a lead ready, and why, with how many people stand in each cell."""
    basis = basis_in_force()
    says = basis.version.rules
    labels = labels_for(says)
    cuts = basis.cuts(request.at)
    band = Case(
        *[When(total__gte=cut, then=Value(place + 2)) for place, cut in reversed(list(enumerate(cuts)))],
        default=Value(1),
        output_field=IntegerField(),
    )
    people = {
        (fit, engagement): many
        for fit, engagement, many in LeadScore.objects.filter(basis=basis, lead__stage__in=[*MARKETING, Stage.READY])
        .order_by()
        .annotate(band=band)
        .values_list("fit_band", "band")
        .annotate(many=Count("pk"))
    }
    grid: list[dict[str, Any]] = [
        {
            "fit": fit,
            "span": fit_spans(says["fit_bands"])[fit],
            "cells": [
                {"band": place, "ready": basis.is_ready(fit, place), "people": people.get((fit, place), 0)}
                for place in range(1, len(cuts) + 2)
            ],
        }
        for fit in BANDS
    ]
    return render(
        request,
        "funnel/overview/rules.html",
        {
            "version": basis.version,
            "name": says["name"],
            "half_life": basis.half_life,
            "fit": [{**rule, "says": sentence(rule, labels)} for rule in says["fit"]],
            "fit_bands": fit_spans(says["fit_bands"]),
            "engagement": [{**rule, "says": sentence(rule)} for rule in says["engagement"]],
            "cuts": list(enumerate(spans(says["engagement_cuts"]), 1)),
            "grid": grid,
            "people": sum(people.values()),
            "ready": sum(cell["people"] for row in grid for cell in row["cells"] if cell["ready"]),
            "cooling": Lead.objects.filter(stage=Stage.NURTURING, cool_until__gt=request.at).count(),
            "going": Lead.objects.filter(waits_since__isnull=False).count(),
            "reasons": GiveBackReason.objects.all(),
        },
    )
