"""Facts that `check_facts` recomputes: scores equal what they are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from funnel.leads.models import Lead
from funnel.scoring.actions import bases, waiting
from funnel.scoring.models import LeadScore, ScorePoint
from funnel.scoring.rules import fit_band, fit_of
from funnel.workspaces.facts import Difference
from funnel.workspaces.models import Workspace

# Σ of floating terms in another order differs by less than this share of Σ|term|.
CLOSE = 1e-9


def scores_add_up(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """For every lead without a pending effect: S is the ledger's sum, fit is what the rules say, both exist."""
    behind = set(_behind())
    for basis in bases():
        sums: dict[object, float] = defaultdict(float)
        sizes: dict[object, float] = defaultdict(float)
        ledger = ScorePoint.objects.filter(version__in=basis.version.chain())
        points = ledger.values_list("lead_id", "points", "occurred_at")
        for lead_id, given, moment in points.iterator(chunk_size=5000):
            term = given * basis.weight(moment)
            sums[lead_id] += term
            sizes[lead_id] += abs(term)
        scores = {row.lead_id: row for row in LeadScore.objects.filter(basis=basis).iterator(chunk_size=5000)}
        for lead in Lead.objects.iterator(chunk_size=2000):
            if lead.pk in behind:
                continue
            row = scores.get(lead.pk)
            if row is None and not (basis.in_force or basis.filled_at):
                continue
            if row is None:
                yield "score is missing", f"lead {lead.pk} has no score on basis {basis.pk}"
                continue
            if abs(row.total - sums[lead.pk]) > CLOSE * max(sizes[lead.pk], 1e-300) and row.total != sums[lead.pk]:
                yield "engagement", f"lead {lead.pk} has {row.total!r}, its rows add up to {sums[lead.pk]!r}"
            fit = fit_of(lead, basis.version.rules)
            if row.fit != fit or row.fit_band != fit_band(fit, basis.version.rules):
                yield "fit", f"lead {lead.pk} has {row.fit}{row.fit_band}, the rules give {fit}"


def _behind() -> Iterator[object]:
    """The leads that an event still waits to be scored for."""
    for lead_id, kind, data in waiting().values_list("lead_id", "kind", "data"):
        if kind == "received_batch":
            yield from (UUID(one) for one in data["leads"])
        else:
            yield lead_id
