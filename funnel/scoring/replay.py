"""What rules would have made of what leads did: the moment at which each would first have been ready."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from funnel.leads.models import Lead, Source
from funnel.outbox.models import Event
from funnel.scoring.models import DAY
from funnel.scoring.rules import allot, earns, fit_band, fit_of
from funnel.workspaces.models import Workspace


@dataclass(frozen=True)
class Act:
    """What a lead did: the event, where it came from, on which local day, and whether it asked for contact."""

    event: Event
    source: Source | None
    day: Any
    asks: bool


def acts_of(
    lead_ids: Collection[UUID], rules: Iterable[Mapping[str, Any]], workspace: Workspace
) -> dict[UUID, list[Act]]:
    """What each lead did that these sets of rules count, or that asked for contact, in order."""
    kinds = {rule["kind"] for one in rules for rule in one["engagement"]} | {"contact_request", "form"}
    sources = {one.pk: one for one in Source.objects.all()}
    found: dict[UUID, list[Act]] = defaultdict(list)
    events = Event.objects.in_force().filter(lead__in=list(lead_ids), kind__in=kinds).order_by("occurred_at", "id")
    for event in events:
        asked = event.kind == "contact_request" or bool(event.data.get("asks"))
        day = workspace.local(event.occurred_at).date()
        found[event.lead_id].append(Act(event, sources.get(event.source_id), day, asked))
    return found


def first_ready(lead: Lead, acts: Sequence[Act], rules: Mapping[str, Any]) -> datetime | None:
    """When a lead would first have been ready by these rules, or asked for contact; None for never.

    What we know of them is taken as it is now: when we learned it isn't kept. Everybody begins in engagement 1.
    """
    ready = set(rules["ready"].get(fit_band(fit_of(lead, dict(rules)), dict(rules)), []))
    if 1 in ready:
        return lead.received_at
    given: Counter[tuple[str, Any]] = Counter()
    value, last = 0.0, None
    for act in acts:
        if act.asks:
            return act.event.occurred_at
        moment = act.event.occurred_at
        if last is not None:
            value *= 2 ** -((moment - last) / DAY / rules["half_life_days"])
        last = moment
        for rule in rules["engagement"]:
            if earns(rule, act.event, act.source):
                given[rule["key"], act.day] += 1
                value += allot(rule["points"], rule.get("cap"), given[rule["key"], act.day])[-1]
        if 1 + sum(value >= cut for cut in rules["engagement_cuts"]) in ready:
            return moment
    return None
