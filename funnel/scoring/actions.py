"""Give points for what leads did, and sum them (design.md, Scoring)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from funnel.leads.models import Lead
from funnel.outbox.models import Event
from funnel.scoring.models import Basis, LeadScore, RuleVersion, ScorePoint
from funnel.scoring.rules import allot, default_rules, fit_band, fit_of
from funnel.workspaces.inserting import insert_all, row_of
from funnel.workspaces.models import Workspace


@transaction.atomic
def start(workspace: Workspace, *, at: datetime) -> Basis:
    """Publish the shipped rule set as a new business's first version."""
    rules = default_rules()
    version = RuleVersion.objects.create(workspace=workspace, number=1, rules=rules, published_at=at)
    return Basis.objects.create(workspace=workspace, version=version, half_life=rules["half_life_days"], epoch=at)


def bases() -> list[Basis]:
    """Every basis of the open workspace, the one in force first."""
    return list(Basis.objects.select_related("version").order_by("-in_force", "id"))


@transaction.atomic(savepoint=False)
def score(
    leads: dict[UUID, Lead],
    events: Sequence[Event],
    *,
    workspace: Workspace,
    every: Sequence[Basis],
    new: Collection[UUID] = (),
) -> dict[UUID, LeadScore]:
    """Score locked leads by new events: points, caps, both scores; give the row of the basis in force per lead.

    `every` basis gets a row per lead. `events` may be out of order, late, voidings, or of kinds that no rule names.
    Every lead given gets its fit scored. `new` leads were made in this transaction: nothing is looked up for them.
    """
    known = [pk for pk in leads if pk not in new]
    written = _points(every[0].version, events, workspace, known)
    resum = {event.lead_id for event in events if event.kind == "voided" and event.lead_id}
    there = LeadScore.objects.filter(lead_id__in=known, basis__in=every) if known else []
    rows = {(row.lead_id, row.basis_id): row for row in there}
    changed, fresh = [], []
    for basis in every:
        rules = basis.version.rules
        for lead in leads.values():
            row = rows.get((lead.pk, basis.pk))
            if row is None:
                row = row_of(LeadScore, workspace_id=workspace.pk, lead_id=lead.pk, basis_id=basis.pk, fit_band="")
                rows[lead.pk, basis.pk] = row
                fresh.append(row)
            elif lead.pk in written or row.fit != fit_of(lead, rules):
                changed.append(row)
            row.fit = fit_of(lead, rules)
            row.fit_band = fit_band(row.fit, rules)
            row.total = row.total or 0.0
            for point in written.get(lead.pk, ()):
                row.total += point.points * basis.weight(point.occurred_at)
        if resum:
            for lead_id, total in sums(basis, resum).items():
                rows[lead_id, basis.pk].total = total
    insert_all(fresh)
    if changed:
        LeadScore.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["fit", "fit_band", "total"],
            batch_size=1000,
        )
    return {lead_id: rows[lead_id, every[0].pk] for lead_id in leads}


def sums(basis: Basis, lead_ids: Iterable[UUID]) -> dict[UUID, float]:
    """S of each lead, summed afresh from the ledger."""
    totals = dict.fromkeys(lead_ids, 0.0)
    for lead_id, points, moment in ScorePoint.objects.filter(
        lead_id__in=list(totals), version=basis.version
    ).values_list("lead_id", "points", "occurred_at"):
        totals[lead_id] += points * basis.weight(moment)
    return totals


def _points(
    version: RuleVersion, events: Sequence[Event], workspace: Workspace, known: Sequence[UUID]
) -> dict[UUID, list[ScorePoint]]:
    """Write the ledger's new rows: each lead, rule and local day is allotted again in order, differences are rows."""
    rules = {rule["kind"]: rule for rule in version.rules["engagement"]}
    days: dict[tuple[Any, str, Any], dict[int, datetime]] = defaultdict(dict)
    causes: dict[tuple[Any, str, Any], int] = {}
    voided: set[int] = set()
    # The day on which it earned its points counts, also where the business has another time zone by now.
    back = [event.voids_id for event in events if event.kind == "voided"]
    earned_on = dict(ScorePoint.objects.filter(event__in=back).values_list("event_id", "day")) if back else {}
    for event in events:
        acted = event
        if event.kind == "voided" and event.voids is not None:
            acted = event.voids
            voided.add(acted.pk)
        rule = rules.get(acted.kind)
        if rule is None or acted.lead_id is None:
            continue
        day = earned_on.get(acted.pk) or workspace.local(acted.occurred_at).date()
        slot = (acted.lead_id, rule["key"], day)
        days[slot][acted.pk] = acted.occurred_at
        causes[slot] = event.pk
    if not days:
        return {}
    had = _already(version, days, set(known))
    by_key = {rule["key"]: rule for rule in rules.values()}
    made: dict[UUID, list[ScorePoint]] = defaultdict(list)
    for slot, acts in days.items():
        lead_id, key, day = slot
        there = had.get(slot, {})
        moments = {**{pk: moment for pk, (_, moment) in there.items()}, **acts}
        gone = voided | set(
            Event.objects.filter(voids__in=list(moments)).values_list("voids_id", flat=True) if there else ()
        )
        order = sorted((moment, pk) for pk, moment in moments.items() if pk not in gone)
        due = dict(
            zip(
                [pk for _, pk in order],
                allot(by_key[key]["points"], by_key[key].get("cap"), len(order)),
                strict=True,
            )
        )
        for pk, moment in moments.items():
            was = there[pk][0] if pk in there else None
            if was == due.get(pk, 0) or (was is None and pk in gone):
                continue
            made[lead_id].append(
                row_of(
                    ScorePoint,
                    workspace_id=workspace.pk,
                    lead_id=lead_id,
                    event_id=pk,
                    version_id=version.pk,
                    rule=key,
                    cause_id=causes[slot] if was is not None else pk,
                    points=due.get(pk, 0) - (was or 0),
                    day=day,
                    occurred_at=moment,
                )
            )
    insert_all([row for rows in made.values() for row in rows])
    return made


def _already(version: RuleVersion, days: Iterable[Any], known: set[UUID]) -> dict[Any, dict[int, tuple[int, datetime]]]:
    """What these lead-days hold already: points and moment per event."""
    slots = {slot for slot in days if slot[0] in known}
    found: dict[Any, dict[int, tuple[int, datetime]]] = defaultdict(dict)
    if not slots:
        return found
    for lead_id, rule, day, event_id, moment, points in (
        ScorePoint.objects.filter(
            version=version,
            lead_id__in={lead_id for lead_id, _, _ in slots},
            day__in={day for _, _, day in slots},
        )
        .values_list("lead_id", "rule", "day", "event_id", "occurred_at")
        .annotate(given=Sum("points"))
    ):
        if (lead_id, rule, day) in slots:
            found[lead_id, rule, day][event_id] = (points, moment)
    return found
