"""Give points for what leads did, and sum them (design.md, Scoring)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, Sum

from funnel.leads.models import Lead, Source
from funnel.outbox.models import Effect, Event, EventQuerySet, State
from funnel.scoring.models import Basis, LeadScore, RuleVersion, ScorePoint
from funnel.scoring.rules import allot, default_rules, earns, fit_band, fit_of, has_source
from funnel.workspaces.asking import Asked
from funnel.workspaces.inserting import insert_all, row_of
from funnel.workspaces.models import Workspace

BASES = Asked(lambda: Basis.objects.filter(left_at=None).select_related("version__follows").order_by("-in_force", "id"))
# A lead, the version that gave the points, the rule and the local day: what a cap holds for.
Slot = tuple[Any, int, str, date]


@transaction.atomic
def start(workspace: Workspace, *, at: datetime) -> Basis:
    """Publish the shipped rule set as a new business's first version."""
    rules = default_rules()
    version = RuleVersion.objects.create(workspace=workspace, number=1, rules=rules, published_at=at)
    return Basis.objects.create(
        workspace=workspace, version=version, half_life=rules["half_life_days"], epoch=at, filled_at=at
    )


def bases() -> list[Basis]:
    """Every basis of the open workspace that scores are kept on, the one in force first."""
    return BASES.rows()


def hold(workspace: Workspace, *, alone: bool = False) -> None:
    """Keep the workspace's bases as they are until the transaction ends, beside others who score, or `alone`.

    Who scores must not miss a basis that is being filled or put in force meanwhile. A lock per lead would hold that
    off too, but writes a million wide rows for it. On SQLite there is one writer at a time.
    """
    if settings.SQLITE:
        return
    how = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {how}(hashtextextended(%s, 0))", [f"score {workspace.pk}"])


def waiting() -> EventQuerySet:
    """The events whose turn to be scored hasn't come, or that are stuck at it."""
    # Each state has an index of its own, which "one of both" would not use.
    pending = Effect.objects.filter(Q(state=State.DUE) | Q(state=State.STUCK), handler="score")
    return Event.objects.filter(pk__in=pending.values("event"))


@transaction.atomic(savepoint=False)
def score(
    leads: dict[UUID, Lead],
    events: Sequence[Event],
    *,
    workspace: Workspace,
    every: Sequence[Basis],
    new: Set[UUID] = frozenset(),
) -> dict[UUID, LeadScore]:
    """Score locked leads by new events: points, caps, both scores; give the row of the basis in force per lead.

    `every` basis gets a row per lead, but one that is still being filled only of those never scored yet; the filler
    sums the others when it comes to them. For `new` leads, made in this transaction, nothing is looked up. `events`
    may be out of order, late, voidings, or of kinds that no rule names. Every lead given gets its fit scored.
    """
    known = [pk for pk in leads if pk not in new]
    there = list(LeadScore.objects.filter(lead_id__in=known, basis__in=every)) if known else []
    rows = {(row.lead_id, row.basis_id): row for row in there}
    scored = {row.lead_id for row in there if row.basis_id == every[0].pk}
    givers = {basis.pk: basis.giver() for basis in every}
    written: dict[int, dict[UUID, list[ScorePoint]]] = {}
    changed, fresh = [], []
    resum = {event.lead_id for event in events if event.kind == "voided" and event.lead_id}
    for basis in every:
        rules, giver = basis.version.rules, givers[basis.pk]
        mine = [pk for pk in leads if basis.in_force or pk not in scored or (pk, basis.pk) in rows]
        if giver.pk not in written:
            whose = set(mine)
            its = [event for event in events if event.lead_id in whose]
            written[giver.pk] = _points(giver, its, workspace, [pk for pk in mine if pk not in new])
        given = written[giver.pk]
        for pk in mine:
            lead, row = leads[pk], rows.get((pk, basis.pk))
            fit = fit_of(lead, rules)
            if row is None:
                row = row_of(LeadScore, workspace_id=workspace.pk, lead_id=pk, basis_id=basis.pk, fit_band="")
                rows[pk, basis.pk] = row
                fresh.append(row)
            elif pk in given or pk in resum or row.fit != fit:
                changed.append(row)
            row.fit, row.fit_band = fit, fit_band(fit, rules)
            row.total = row.total or 0.0
            for point in given.get(pk, ()):
                row.total += point.points * basis.weight(point.occurred_at)
        if resum:
            for lead_id, total in sums(basis, resum.intersection(mine)).items():
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
        lead_id__in=list(totals), version__in=basis.version.chain()
    ).values_list("lead_id", "points", "occurred_at"):
        totals[lead_id] += points * basis.weight(moment)
    return totals


def _points(
    giver: RuleVersion, events: Sequence[Event], workspace: Workspace, known: Sequence[UUID]
) -> dict[UUID, list[ScorePoint]]:
    """Write the ledger's new rows: each lead, rule and local day is allotted again in order, differences are rows.

    New events earn by the giver's rules; what is voided is taken back by those by which it was given.
    """
    days: dict[Slot, dict[int, datetime]] = defaultdict(dict)
    causes: dict[Slot, int] = {}
    back = {event.voids_id: event for event in events if event.kind == "voided" and event.voids_id}
    versions = {giver.pk: giver}
    if back:
        # Those that were left too, or whoever goes back to one finds its points again.
        versions |= {one.pk: one for one in RuleVersion.objects.exclude(published_at=None)}
        # The day on which it earned its points counts, also where the business has another time zone by now.
        earned = ScorePoint.objects.filter(event__in=list(back), version__in=list(versions))
        for slot in earned.values_list("event_id", "lead_id", "version_id", "rule", "day", "occurred_at").distinct():
            event_id, lead_id, version_id, rule, day, moment = slot
            days[lead_id, version_id, rule, day][event_id] = moment
            causes[lead_id, version_id, rule, day] = back[event_id].pk
    before = _given_before(giver, events)
    for event, rule in _earning(giver.rules["engagement"], events):
        if (event.pk, rule["key"]) in before:
            continue
        slot = (event.lead_id, giver.pk, rule["key"], workspace.local(event.occurred_at).date())
        days[slot][event.pk] = event.occurred_at
        causes[slot] = event.pk
    if not days:
        return {}
    had = _already(days, set(known))
    by_key = {(pk, rule["key"]): rule for pk, one in versions.items() for rule in one.rules["engagement"]}
    made: dict[UUID, list[ScorePoint]] = defaultdict(list)
    for slot, acts in days.items():
        lead_id, version_id, key, day = slot
        there = had.get(slot, {})
        moments = {**{pk: moment for pk, (_, moment) in there.items()}, **acts}
        gone = set(back) | set(
            Event.objects.filter(voids__in=list(moments)).values_list("voids_id", flat=True) if there else ()
        )
        order = sorted((moment, pk) for pk, moment in moments.items() if pk not in gone)
        rule = by_key[version_id, key]
        due = dict(zip([pk for _, pk in order], allot(rule["points"], rule.get("cap"), len(order)), strict=True))
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
                    version_id=version_id,
                    rule=key,
                    cause_id=causes[slot] if was is not None else pk,
                    points=due.get(pk, 0) - (was or 0),
                    day=day,
                    occurred_at=moment,
                )
            )
    insert_all([row for rows in made.values() for row in rows])
    return made


def _given_before(giver: RuleVersion, events: Sequence[Event]) -> set[tuple[int, str]]:
    """Which of the events have a rule's points already, by a version that this one follows and that judged the past.

    Only what came before this version was in force, and whose turn comes late, can have any.
    """
    if giver.follows_id is None:
        return set()
    late = [one.pk for one in events if giver.published_at is None or one.recorded_at < giver.published_at]
    if not late:
        return set()
    return set(ScorePoint.objects.filter(event__in=late, version__in=giver.chain()[1:]).values_list("event_id", "rule"))


def _earning(rules: Sequence[dict[str, Any]], events: Sequence[Event]) -> Iterable[tuple[Event, dict[str, Any]]]:
    """The events with each rule by which they earn points."""
    by_kind = defaultdict(list)
    for rule in rules:
        by_kind[rule["kind"]].append(rule)
    sources: dict[int, Source] = {}
    if any(has_source(rule) for rule in rules):
        sources = Source.objects.in_bulk({event.source_id for event in events if event.source_id})
    for event in events:
        if event.lead_id is not None:
            for rule in by_kind.get(event.kind, ()):
                if earns(rule, event, sources.get(event.source_id or 0)):
                    yield event, rule


def _already(days: Iterable[Slot], known: set[UUID]) -> dict[Slot, dict[int, tuple[int, datetime]]]:
    """What these lead-days hold already: points and moment per event."""
    slots = {slot for slot in days if slot[0] in known}
    found: dict[Slot, dict[int, tuple[int, datetime]]] = defaultdict(dict)
    if not slots:
        return found
    for lead_id, version_id, rule, day, event_id, moment, points in (
        ScorePoint.objects.filter(
            version__in={slot[1] for slot in slots},
            lead_id__in={slot[0] for slot in slots},
            day__in={slot[3] for slot in slots},
        )
        .values_list("lead_id", "version_id", "rule", "day", "event_id", "occurred_at")
        .annotate(given=Sum("points"))
    ):
        if (lead_id, version_id, rule, day) in slots:
            found[lead_id, version_id, rule, day][event_id] = (points, moment)
    return found
