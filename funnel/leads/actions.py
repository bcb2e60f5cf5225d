"""What people and integrations do to a lead that is there already."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from funnel.leads.fields import FieldBook
from funnel.leads.identity import AHEAD, Capture, Refused, clean
from funnel.leads.models import Lead, LeadKey, Source
from funnel.leads.receiving import lock_keys
from funnel.leads.sources import sources_for
from funnel.outbox.actions import record
from funnel.outbox.kinds import KINDS, TOUCHES
from funnel.outbox.models import Event
from funnel.workspaces.models import Member
from funnel.workspaces.refusals import Refusal

WORDS = {"email": "e-mail address", "external_id": "external id"}


class KeyTaken(Refusal):
    """Another lead is known by this key; `extra` says which field and which lead."""

    def __init__(self, field: str, lead_id: Any) -> None:
        super().__init__(f"Another lead has this {WORDS[field]} already.", field=field, lead=str(lead_id))


@transaction.atomic
def touch(
    lead: Lead,
    kind: str,
    *,
    at: datetime,
    by: Member | None = None,
    occurred_at: datetime | None = None,
    source: tuple[str, str, str] | None = None,
    data: dict[str, Any] | None = None,
) -> Event:
    """Record a touch of a known lead; raise Refused for a kind that is Baton's own or a moment that is to come."""
    errors = {}
    if not kind or len(kind) > 40 or not kind.replace("_", "").replace("-", "").replace(".", "").isalnum():
        errors["kind"] = "Name the touch in up to 40 letters, digits, dots, hyphens and underscores."
    elif kind in KINDS and kind not in TOUCHES:
        errors["kind"] = "This kind is Baton's own; choose another name."
    if occurred_at and occurred_at > at + AHEAD:
        errors["occurred_at"] = "This lies in the future; send when it happened."
    if errors:
        raise Refused(errors)
    moment = occurred_at or at
    found: Source | None = None
    if source and any(source):
        names = (source[0] or "unknown", source[1], source[2])
        found = sources_for(lead.workspace, [names], at=at)[Source.key_of(*names)]
    if moment < lead.received_at:
        tells = found and (found.is_known or not lead.source.is_known)
        Lead.objects.filter(pk=lead.pk, received_at__gt=moment).update(
            received_at=moment, **({"source": found} if tells else {})
        )
    return record(
        lead.workspace_id,
        kind,
        at=at,
        lead_id=lead.pk,
        occurred_at=moment,
        actor=by,
        source_id=found.pk if found else None,
        data=data,
    )


def _asked(lead: Lead, changes: dict[str, Any], *, at: datetime) -> Capture:
    """What a lead would be known by after the changes, cleaned; raises Refused."""
    asked = Capture(
        name=changes.get("name", lead.name),
        email=changes.get("email", lead.email) or lead.email,
        phone=changes.get("phone", lead.phone) or lead.phone,
        company=changes.get("company", lead.company_name),
        external_id=changes.get("external_id", lead.external_id) or lead.external_id,
        external_system=changes.get("external_system", lead.external_system),
        fields=changes.get("fields", {}),
    )
    if not (asked.email or asked.phone or asked.external_id or (asked.name and asked.company)):
        asked.name, asked.company = asked.name or lead.name, asked.company or lead.company_name
    return clean(asked, region=lead.workspace.country, book=FieldBook(), at=at)


@transaction.atomic
def edit(lead: Lead, changes: dict[str, Any], *, by: Member, at: datetime) -> Lead:
    """Change what we know of a lead, by a member or a key; never with a blank where there was something.

    `changes` may hold name, email, phone, company, external_id, external_system and fields. Raises Refused for a value
    that can't stand, KeyTaken where another lead has the key; then nothing has changed.
    """
    # Keys before the lead, as `receive` does, or the two could wait for each other.
    lock_keys(lead.workspace_id, _asked(lead, changes, at=at).keys)
    lead = Lead.objects.locked([lead.pk])[lead.pk]
    asked = _asked(lead, changes, at=at)
    for kind, value in asked.keys:
        if kind == LeadKey.Kind.PHONE:
            continue
        other = LeadKey.objects.filter(kind=kind, value=value).exclude(lead=lead).first()
        if other:
            raise KeyTaken("email" if kind == LeadKey.Kind.EMAIL else "external_id", other.lead_id)
    before: dict[str, Any] = {}
    now: tuple[tuple[str, Any], ...] = (
        ("name", asked.name or lead.name),
        ("email", asked.email),
        ("phone", asked.phone),
        ("company_name", asked.company or lead.company_name),
        ("external_id", asked.external_id),
        ("external_system", asked.external_system),
        ("fields", {**lead.fields, **asked.fields}),
    )
    for column, value in now:
        if getattr(lead, column) != value:
            before[column] = getattr(lead, column)
            setattr(lead, column, value)
    if not before:
        return lead
    lead.version += 1
    lead.updated_at, lead.search = at, lead.search_text()
    lead.save(update_fields=[*before, "version", "updated_at", "search"])
    LeadKey.objects.bulk_create(
        [LeadKey(workspace_id=lead.workspace_id, lead=lead, kind=kind, value=value) for kind, value in asked.keys],
        ignore_conflicts=True,
    )
    record(
        lead.workspace_id, "edited", at=at, lead_id=lead.pk, actor=by,
        data={"was": before, "now": {column: getattr(lead, column) for column in before}},
    )  # fmt: skip
    return lead


class NotVoidable(Refusal):
    """An event that can't be taken back, with the sentence that says why."""


@transaction.atomic
def void(event: Event, *, reason: str, by: Member, at: datetime) -> Event:
    """Take an event back by a later one; what it scored is summed again. Raises NotVoidable."""
    if event.kind in KINDS and event.kind not in (*TOUCHES, "received"):
        raise NotVoidable("Only what somebody did can be taken back, not Baton's own entries.")
    if event.lead_id is None or Event.objects.filter(voids=event).exists():
        raise NotVoidable("This entry has been taken back already.")
    (lead,) = Lead.objects.locked([event.lead_id]).values()
    voiding = record(
        event.workspace_id, "voided", at=at, lead_id=event.lead_id, actor=by,
        data={"event": event.pk, "kind": event.kind, "reason": reason}, voids=event,
    )  # fmt: skip
    own = [kind for kind in KINDS if kind not in (*TOUCHES, "received")]
    counts = Event.objects.in_force().filter(lead=lead).exclude(kind__in=own).select_related("source")
    first, source = None, None
    # Somebody came when the earliest of what still counts says so, and from there; told again in the order it was told.
    for one in counts.order_by("id"):
        if first is None or one.occurred_at < first:
            first = one.occurred_at
            if one.source and (one.source.is_known or source is None or not source.is_known):
                source = one.source
    source_id = source.pk if source else lead.source_id
    if first and (first, source_id) != (lead.received_at, lead.source_id):
        Lead.objects.filter(pk=lead.pk).update(received_at=first, source_id=source_id, updated_at=at)
    return voiding
