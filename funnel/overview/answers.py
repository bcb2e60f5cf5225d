"""Leads and their events as the API answers them: a few queries for a whole list, none per row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from funnel.api.shapes import stamp
from funnel.handoff.models import Handoff, Outcome, Way
from funnel.leads.models import Lead, Source
from funnel.leads.stages import Stage
from funnel.outbox.models import Event
from funnel.overview.rows import BASIS
from funnel.scoring.models import LeadScore
from funnel.workspaces.asking import Asked, together

_TEXT = {"type": "string"}
_MAYBE = {"type": "string", "nullable": True}
_MOMENT = {"type": "string", "format": "date-time"}
_MAYBE_MOMENT = {**_MOMENT, "nullable": True}
SOURCE_SCHEMA = {"type": "object", "properties": dict.fromkeys(("channel", "campaign", "placement"), _TEXT)}
HANDOFF_SCHEMA = {
    "type": "object",
    "nullable": True,
    "description": "The latest handoff; `outcome` is null while it is open, `offered_to` null in the pool.",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "offered_to": _MAYBE,
        "opened_at": _MOMENT,
        "due_at": _MOMENT,
        "outcome": {"type": "string", "nullable": True, "enum": [*(one for one in Outcome.values if one), None]},
    },
}
WAY_SCHEMA = {
    "type": "object",
    "nullable": True,
    "description": "After sales gave it back: what brings it to sales again when its cool-down is over.",
    "properties": {
        "way": {"type": "string", "enum": Way.values},
        "above": {"type": "integer", "description": "The engagement of `engagement`."},
        "touch": {**_TEXT, "description": "The kind of `touch`."},
    },
}
LEAD_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "stage": {"type": "string", "enum": Stage.values},
        **dict.fromkeys(("email", "phone", "name", "company", "external_id", "external_system"), _TEXT),
        "source": {**SOURCE_SCHEMA, "description": "Of the earliest touch."},
        "fit": {"type": "integer", "nullable": True},
        "engagement": {"type": "number", "nullable": True, "description": "Now; it fades."},
        "band": {"type": "string", "nullable": True, "description": "Fit and engagement, like A3."},
        "holder": {**_MAYBE, "format": "email"},
        "handoff": HANDOFF_SCHEMA,
        "fields": {"type": "object", "additionalProperties": True},
        "received_at": _MOMENT,
        "created_at": _MOMENT,
        "updated_at": _MOMENT,
        "cool_until": _MAYBE_MOMENT,
        "way_back": WAY_SCHEMA,
        "waits_since": _MAYBE_MOMENT,
        "customer_since": _MAYBE_MOMENT,
        "version": {"type": "integer"},
    },
}
EVENT_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "kind": _TEXT,
        "occurred_at": _MOMENT,
        "recorded_at": _MOMENT,
        "actor": {**_MAYBE, "format": "email"},
        "source": {**SOURCE_SCHEMA, "nullable": True},
        "data": {"type": "object", "additionalProperties": True},
        "voids": {"type": "integer", "nullable": True},
        "voided_by": {"type": "integer", "nullable": True},
    },
}

# What is written of a lead itself.
WRITTEN = (
    "stage", "email", "phone", "name", "company_name", "external_id", "external_system", "source__channel",
    "source__campaign", "source__placement", "holder__user__email", "fields", "received_at", "created_at", "updated_at",
    "cool_until", "way_back", "waits_since", "customer_since", "version",
)  # fmt: skip
SCORES = Asked(lambda lead: LeadScore.objects.in_force().filter(lead__in=[lead]), UUID)
HANDOFFS = Asked(
    lambda lead: Handoff.objects.filter(lead__in=[lead]).values_list(
        "lead_id", "pk", "offered_to__user__email", "opened_at", "due_at", "outcome"
    ),
    UUID,
)


def write_leads(leads: Sequence[Lead], at: datetime, *, fresh: bool = False) -> list[dict[str, Any]]:
    """Write leads, whose source and holder are at hand, with both scores and their latest handoff.

    `fresh` ones were made in this transaction, so nothing can have scored or handed them over.
    """
    if fresh or not leads:
        return [_lead(lead, None, None) for lead in leads]
    ids = [lead.pk for lead in leads]
    (basis,), scored, handed = together([(BASIS, []), (SCORES, [ids]), (HANDOFFS, [ids])])
    scores = {row.lead_id: row.seen(basis, at) for row in scored}
    # The latest of each lead.
    handoffs = {lead_id: _handoff(*handoff) for lead_id, *handoff in sorted(handed, key=lambda row: (row[3], row[1]))}
    return [_lead(lead, scores.get(lead.pk), handoffs.get(lead.pk)) for lead in leads]


def _handoff(pk: UUID, offered_to: str | None, opened_at: datetime, due_at: datetime, outcome: str) -> dict[str, Any]:
    return {
        "id": str(pk),
        "offered_to": offered_to,
        "opened_at": stamp(opened_at),
        "due_at": stamp(due_at),
        "outcome": outcome or None,
    }


def _lead(lead: Lead, score: dict[str, Any] | None, handoff: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "id": str(lead.pk),
        "stage": str(lead.stage),
        "email": lead.email,
        "phone": lead.phone,
        "name": lead.name,
        "company": lead.company_name,
        "external_id": lead.external_id,
        "external_system": lead.external_system,
        "source": write_source(lead.source),
        "fit": score["fit"] if score else None,
        "engagement": score["engagement"] if score else None,
        "band": score["band"] if score else None,
        "holder": lead.holder.email if lead.holder else None,
        "handoff": handoff,
        "fields": lead.fields,
        "received_at": stamp(lead.received_at),
        "created_at": stamp(lead.created_at),
        "updated_at": stamp(lead.updated_at),
        "cool_until": stamp(lead.cool_until),
        "way_back": lead.way_back and {name: said for name, said in lead.way_back.items() if name != "with"},
        "waits_since": stamp(lead.waits_since),
        "customer_since": stamp(lead.customer_since),
        "version": lead.version,
    }


def write_source(source: Source) -> dict[str, str]:
    """Write the three names of a source."""
    return {"channel": source.channel, "campaign": source.campaign, "placement": source.placement}


def write_event(event: Event) -> dict[str, Any]:
    """Write one event of a lead's timeline."""
    voided = getattr(event, "voided_by", None)
    return {
        "id": event.pk,
        "kind": event.kind,
        "occurred_at": stamp(event.occurred_at),
        "recorded_at": stamp(event.recorded_at),
        "actor": event.actor.email if event.actor else None,
        "source": write_source(event.source) if event.source else None,
        "data": event.data,
        "voids": event.voids_id,
        "voided_by": voided.pk if voided else None,
    }
