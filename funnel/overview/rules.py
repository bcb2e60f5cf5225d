"""The rules as sentences: those in force, or the draft with what it changes and what it would change."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from funnel.handoff.models import GiveBackReason
from funnel.handoff.preview import STEPS, band_of, judged
from funnel.handoff.wayback import follows
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.overview.rules_forms import PublishForm
from funnel.scoring import changing
from funnel.scoring.checking import is_never_ready
from funnel.scoring.models import BANDS, Basis, RuleDraft, RuleVersion
from funnel.scoring.rules import labels_for, sentence
from funnel.templatetags.words import number, plural
from funnel.workspaces.roles import allow, may

VERSIONS = 50


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
    """What makes a lead ready, and why, with how many people stand in each cell; for who may, its changing."""
    basis, found, draft = (
        changing.in_force(),
        changing.coming(),
        RuleDraft.objects.select_related("edited_by__user").first(),
    )
    if request.GET.get("watch") and not (
        found is not None and (found.goes_live or not (found.figures or {}).get("through"))
    ):
        # Who watched the work go on sees what came of it.
        return HttpResponse(headers={"HX-Refresh": "true"})
    before = basis.version.rules
    says = draft.rules if draft is not None else before
    shown = found if found is not None and found.filled_at and draft is not None else basis
    people = _people(shown, request.at)
    grid: list[dict[str, Any]] = [
        {
            "fit": fit,
            "span": fit_spans(says["fit_bands"])[fit],
            "cells": [
                {
                    "band": place,
                    "name": f"{fit}{place}",
                    "ready": (ready := place in says["ready"].get(fit, [])),
                    "new": ready != (place in before["ready"].get(fit, [])),
                    "people": people.get((fit, place), 0),
                }
                for place in range(1, len(says["engagement_cuts"]) + 2)
            ],
        }
        for fit in BANDS
    ]
    going = Lead.objects.filter(waits_since__isnull=False).count()
    context = {
        "version": basis.version,
        "name": says["name"],
        "draft": draft,
        "half_life": says["half_life_days"],
        "fit": _grouped(says, before, "fit", "We count"),
        "fit_bands": fit_spans(says["fit_bands"]),
        "engagement": _grouped(says, before, "engagement", "They"),
        "cuts": list(enumerate(spans(says["engagement_cuts"]), 1)),
        "grid": grid,
        "people": sum(people.values()),
        "ready": sum(cell["people"] for row in grid for cell in row["cells"] if cell["ready"]),
        "cooling": Lead.objects.filter(stage=Stage.NURTURING, cool_until__gt=request.at).count(),
        "going": going,
        "reasons": [(one, follows(one)) for one in GiveBackReason.objects.offered()],
        "may_reasons": may(request.member, "reasons.change"),
        "may_change": may(request.member, "rules.change") and not (found is not None and found.goes_live),
        "never": is_never_ready(says),
        "changes": _changes(says, before) if draft is not None else 0,
        "coming": found,
        "look": _look(found, request.at) if found is not None and draft is not None else None,
        "versions": _versions(),
        "form": PublishForm(initial={"again": "yes" if found is not None and found.version.again else ""}),
    }
    return render(request, "funnel/overview/rules.html", context)


def _goes_on(found: Basis | None) -> bool:
    """Whether the worker still fills a basis, or reckons what it would change."""
    return found is not None and (found.goes_live or not (found.figures or {}).get("through"))


def _people(basis: Basis, at: datetime) -> dict[tuple[str, int], int]:
    """How many people with marketing or in handoff stand in each cell."""
    return {
        (fit, engagement): many
        for fit, engagement, many in judged()
        .filter(basis=basis)
        .order_by()
        .annotate(band=band_of(basis, at))
        .values_list("fit_band", "band")
        .annotate(many=Count("pk"))
    }


def _grouped(says: dict[str, Any], before: dict[str, Any], part: str, head: str) -> list[dict[str, Any]]:
    """The rules of a part under their headings, each with what it was before the draft."""
    known, labels = {rule["key"]: rule for rule in before[part]}, labels_for(says)
    rows = [{**rule, "says": sentence(rule, labels), "was": _was(rule, known.get(rule["key"]))} for rule in says[part]]
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row.get("group") or head, []).append(row)
    return [{"head": name, "rules": listed} for name, listed in groups.items()]


def _was(rule: dict[str, Any], before: dict[str, Any] | None) -> str:
    if before is None:
        return "new"
    if rule["points"] != before["points"]:
        return f"was {number(before['points'])}"
    if rule.get("cap") != before.get("cap"):
        return f"most {number(before['cap'])} a day before" if before.get("cap") else "no limit before"
    return "" if sentence(rule) == sentence(before) else "changed"


def _changes(says: dict[str, Any], before: dict[str, Any]) -> int:
    """How many things a draft changes."""
    many = sum(says[name] != before[name] for name in ("half_life_days", "fit_bands", "engagement_cuts"))
    many += sum(
        (place in says["ready"].get(fit, [])) != (place in before["ready"].get(fit, []))
        for fit in BANDS
        for place in range(1, 5)
    )
    for part in ("fit", "engagement"):
        mine, theirs = ({one["key"]: one for one in rules[part]} for rules in (says, before))
        many += sum(mine.get(key) != theirs.get(key) for key in mine | theirs)
    return many


def _look(found: Basis, at: datetime) -> dict[str, Any]:
    """What the worker found out about a draft, or how far it is."""
    told = found.figures
    if not told or not told["through"]:
        ahead = sum(told[one]["through"] for one in STEPS) if told else 0
        share = 50 + 50 * ahead / len(STEPS) if found.filled_at else 50 * min(found.done / max(found.of, 1), 1)
        return {"through": False, "done": int(share), "of": found.of}
    customers, losses, weekly = told["customers"], told["losses"], told["weekly"]
    days = customers["days"] / customers["both"] if customers["both"] else 0
    whole = abs(round(days))
    apart = (
        "on the same day" if not whole else f"on average {plural(whole, 'day')} {'earlier' if days > 0 else 'later'}"
    )
    weeks = 4
    return {
        "through": True,
        "at": datetime.fromisoformat(told["at"]),
        "more": told["more"], "fewer": told["fewer"], "moved": told["moved"], "people": told["people"],
        "customers": customers, "losses": losses, "apart": apart if customers["both"] else "",
        "named": [
            {
                **row,
                "was": datetime.fromisoformat(row["was"]) if row["was"] else None,
                "would": datetime.fromisoformat(row["would"]) if row["would"] else None,
            }
            for row in customers["named"]
        ],
        "week_then": round(weekly["then"] / weeks), "week_now": round(weekly["now"] / weeks), "places": told["places"],
    }  # fmt: skip


def _versions() -> list[dict[str, Any]]:
    """The versions that were in force, the latest first."""
    found = RuleVersion.objects.exclude(number=None).exclude(published_at=None).select_related("published_by__user")
    return [
        {
            "pk": one.pk,
            "number": one.number,
            "why": one.why or one.rules["name"],
            "by": one.published_by.first_name if one.published_by else "",
            "counted": "Again since it was left" if one.since else "The past again" if one.again else "From now on",
            "at": one.published_at,
        }
        for one in found.order_by("-number")[:VERSIONS]
    ]
