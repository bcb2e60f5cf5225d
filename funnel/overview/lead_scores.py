"""Both scores of a lead, opened into the rows that made them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from math import log2
from typing import Any
from uuid import UUID

from django.db.models import Sum

from funnel.handoff.card import says
from funnel.leads import known
from funnel.leads.models import Lead
from funnel.overview.lead_plot import EngagementPlot, plot_of
from funnel.overview.lead_story import source_words
from funnel.scoring.models import LeadScore, ScorePoint
from funnel.scoring.rules import fit_rows, labels_for, sentence
from funnel.templatetags.words import add_up
from funnel.workspaces.asking import Asked

# A lead that opened thousands of pages still gives a page that can be read; the rest is one row, so that it adds up.
ROWS = 100


@dataclass(frozen=True)
class Row:
    """One row of a ledger: points as they were given, and what is left of them now."""

    says: str
    then: int
    now: Decimal
    where: str = ""
    rule: str = ""
    capped: int | None = None
    at: datetime | None = None
    corrected_at: datetime | None = None


SCORE = Asked(
    lambda lead: LeadScore.objects.in_force().filter(lead__in=[lead]).select_related("basis__version")[:1], UUID
)
POINTS = Asked(
    lambda lead, version: (
        ScorePoint.objects.filter(lead__in=[lead], version__in=[version])
        .select_related("event__source", "event__actor__user", "cause")
        .order_by("-occurred_at", "-id")[: ROWS + 1]
    ),
    UUID,
    int,
)


def opened(lead: Lead, at: datetime) -> dict[str, Any] | None:
    """Give both scores with their rows, which add up to the numbers shown; None while the lead isn't scored."""
    score: LeadScore | None = next(iter(known.of(lead, SCORE)), None)
    if score is None:
        return None
    rules = score.basis.version.rules
    seen = score.seen(score.basis, at)
    engagement, plot = _engagement(lead, score, at)
    held = fit_rows(lead, rules)
    met, labels = {rule["key"] for rule, _ in held}, labels_for(rules)
    return {
        **seen,
        "basis": score.basis,
        "engagement_rows": engagement,
        "engagement": sum((row.now for row in engagement), Decimal(0)),
        "engagement_then": sum(row.then for row in engagement),
        "half_life": score.basis.half_life,
        **(line := _line(score, seen, at)),
        "plot": plot(line["line"]),
        "fit": sum(rule["points"] for rule, _ in held),
        "fit_rows": [(sentence(rule, labels), value, rule["points"]) for rule, value in held],
        "fit_line": rules["fit_bands"].get(score.fit_band),
        "fit_missing": [(sentence(rule, labels), rule["points"]) for rule in rules["fit"] if rule["key"] not in met],
        "fit_pending": sum(rule["points"] for rule, _ in held) != score.fit,
    }


def _line(score: LeadScore, seen: dict[str, Any], at: datetime) -> dict[str, Any]:
    """From which engagement the grid says ready for this fit, and when the lead cools below it."""
    rules = score.basis.version.rules
    bands = rules["ready"].get(score.fit_band)
    if not bands:
        return {"line": None, "cools_at": None}
    line = ([0, *rules["engagement_cuts"]])[min(bands) - 1]
    cools_at = None
    if line and seen["engagement"] > line:
        cools_at = at + timedelta(days=score.basis.half_life * log2(seen["engagement"] / line))
    return {"line": line, "cools_at": cools_at}


def _engagement(
    lead: Lead, score: LeadScore, at: datetime
) -> tuple[list[Row], Callable[[float | None], EngagementPlot]]:
    """The rows of the ledger, and how to draw them with a line."""
    basis = score.basis
    chain = {one.pk: one for one in basis.version.chain()}
    rules = {(pk, rule["key"]): rule for pk, one in chain.items() for rule in one.rules["engagement"]}
    points: list[ScorePoint] = POINTS.rows([lead.pk], list(chain))
    exact = [one.points * basis.weight(one.occurred_at) / basis.weight(at) for one in points[:ROWS]]
    then = [one.points for one in points[:ROWS]]
    if len(points) > ROWS:
        exact.append(basis.now(score.total, at) - sum(exact))
        ledger = ScorePoint.objects.filter(lead=lead, version__in=list(chain))
        then.append((ledger.aggregate(all=Sum("points"))["all"] or 0) - sum(then))
    shown = add_up(exact)
    used = [rules[one.version_id, one.rule] for one in points[:ROWS]]
    labels = labels_for({"fit": [], "engagement": used})
    rows = [
        Row(
            says=says(one.event),
            then=one.points,
            now=now,
            where=_where(one),
            rule=f"{sentence(rules[one.version_id, one.rule], labels)} ({chain[one.version_id].number})",
            capped=_capped(one, rules[one.version_id, one.rule]),
            at=one.occurred_at,
            corrected_at=one.cause.recorded_at if one.cause_id != one.event_id else None,
        )
        for one, now in zip(points[:ROWS], shown, strict=False)
    ]
    if len(points) > ROWS:
        rows.append(Row(says="Everything before", then=then[-1], now=shown[-1]))
    acts = [(one.occurred_at, one.points) for one in points[:ROWS]]
    rest = exact[-1] if len(points) > ROWS else 0.0
    draw = partial(plot_of, acts, rest=rest, half_life=basis.half_life, workspace=lead.workspace, at=at)
    return rows, lambda line: draw(line=line)


def _capped(point: ScorePoint, rule: Mapping[str, Any]) -> int | None:
    """The most that the rule gives in a day, where that is why it gave less this time."""
    less = point.cause_id == point.event_id and abs(point.points) < abs(rule["points"])
    return rule.get("cap") if less else None


def _where(point: ScorePoint) -> str:
    return source_words(point.event.source) or (point.event.actor.name if point.event.actor else "")
