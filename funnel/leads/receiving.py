"""The only door by which a person enters, whatever the channel (design.md, The flow)."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models.fields.json import KT

from funnel.leads.fields import FieldBook
from funnel.leads.identity import Capture, Key, Refused, business_domain, clean
from funnel.leads.models import Company, Consent, Lead, LeadKey, Source, Suspect, moved_event
from funnel.leads.sources import sources_for
from funnel.leads.stages import MARKETING, Stage
from funnel.outbox.actions import record_all
from funnel.outbox.models import Event, Lane
from funnel.workspaces.asking import Asked
from funnel.workspaces.inserting import insert_absent, insert_all, row_of
from funnel.workspaces.models import Member, Workspace

# Keys are locked by bucket, so that a batch of a thousand can't use up PostgreSQL's lock table.
BUCKETS = 512
# A number that more leads than this have, a switchboard's or a made-up one, says nothing of who somebody is.
SHARED = 25
# One event carries the scoring of this many leads of a batch: as many as fit one short write.
CHUNK = 100
RECEIVED = "received"
KEYS = Asked(lambda value: LeadKey.objects.filter(value__in=[value]).values_list("kind", "value", "lead_id"), str)
KEYS_OF = Asked(lambda lead: LeadKey.objects.filter(lead__in=[lead]).values_list("kind", "value", "lead_id"), UUID)
COMPANIES = Asked(lambda domain: Company.objects.filter(domain__in=[domain]), str)
FILLED = ("name", "email", "phone", "external_system", "external_id")


@dataclass(slots=True)
class Received:
    """What became of one capture; `refused` holds a sentence per field and leaves the rest empty.

    `told` says that the lead is as it is by this very row of a list, so that nothing is to be done.
    """

    lead: Lead | None = None
    created: bool = False
    changed: bool = False
    told: bool = False
    event: Event | None = None
    refused: dict[str, str] = field(default_factory=dict)


@transaction.atomic(savepoint=False)
def receive(
    workspace: Workspace,
    captures: Sequence[Capture],
    *,
    at: datetime,
    by: Member | None = None,
    lane: str | None = Lane.LIVE,
    go: bool = False,
) -> list[Received]:
    """Take captures as a set: normalise, match, create or update leads, record their events and effects.

    Gives one result per capture, in order; a refused one leaves nothing behind. In the bulk lane one event per
    hundred leads carries their scoring; without a lane nothing does, because the caller scores at once. `go` hands over
    those of a bulk who are ready, instead of letting them wait for somebody's go.
    """
    return _Desk(workspace, at, by, lane, go).take(captures)


def lock_keys(workspace_id: UUID, keys: Sequence[Key]) -> None:
    """Hold keys in sorted order to the end of the transaction, so that concurrent captures end in one lead."""
    if settings.SQLITE:
        return
    space = zlib.crc32(workspace_id.bytes) & 0x7FFFFFFF
    buckets = sorted({zlib.crc32(repr(key).encode()) % BUCKETS for key in keys})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, bucket) FROM unnest(%s::int[]) AS bucket", [space, buckets])


class _Desk:
    """What one call of `receive` knows while it works through its captures."""

    def __init__(self, workspace: Workspace, at: datetime, by: Member | None, lane: str | None, go: bool) -> None:
        self.workspace, self.at, self.by, self.lane, self.go = workspace, at, by, lane, go
        self.by_key: dict[Key, list[Lead]] = {}
        self.keys_of: dict[UUID, set[Key]] = {}
        self.created: dict[UUID, Lead] = {}
        self.changed: dict[UUID, Lead] = {}
        self.new_keys: list[LeadKey] = []
        self.events: list[Event] = []
        self.suspects: set[tuple[UUID, UUID]] = set()
        self.consents: list[tuple[Lead, Event, dict[str, str]]] = []
        self.told: set[tuple[UUID, int, datetime]] = set()
        self.rows: dict[UUID, set[str]] = {}
        # Whom somebody says to be lost or no lead at all: that is nothing they did, so it brings nobody back.
        self.ended: set[UUID] = set()

    def take(self, captures: Sequence[Capture]) -> list[Received]:
        book = FieldBook()
        results = [Received() for _ in captures]
        for capture, result in zip(captures, results, strict=True):
            try:
                clean(capture, region=self.workspace.country, book=book, at=self.at)
            except Refused as refused:
                result.refused = refused.errors
        good = [pair for pair in zip(captures, results, strict=True) if not pair[1].refused]
        if not good:
            return results
        lock_keys(self.workspace.pk, [key for capture, _ in good for key in capture.keys])
        self._load([key for capture, _ in good for key in capture.keys])
        sources = sources_for(
            self.workspace, [(one.channel, one.campaign, one.placement) for one, _ in good], at=self.at
        )
        companies = self._companies([capture for capture, _ in good])
        self._recall([capture for capture, _ in good])
        self._recall_rows([capture for capture, _ in good])
        for capture, result in good:
            self._one(capture, result, sources, companies)
        self._write()
        return results

    def _load(self, keys: list[Key]) -> None:
        found = KEYS.rows(list({value for _, value in keys}))
        if not found:
            return
        among = Counter((kind, value) for kind, value, _ in found)
        leads = Lead.objects.locked(
            {lead_id for kind, value, lead_id in found if among[kind, value] <= SHARED}, "source"
        )
        for kind, value, lead_id in KEYS_OF.rows(list(leads)):
            self._remember(leads[lead_id], (kind, value))

    def _recall(self, captures: list[Capture]) -> None:
        """Note what known leads were received with on these dates: the same sent again is told already."""
        moments = {one.occurred_at for one in captures if one.occurred_at and one.kind == RECEIVED}
        if moments and self.keys_of:
            known = Event.objects.in_force().filter(
                lead__in=list(self.keys_of), kind=RECEIVED, occurred_at__in=list(moments)
            )
            self.told = set(known.values_list("lead_id", "source_id", "occurred_at"))

    def _recall_rows(self, captures: list[Capture]) -> None:
        """Note by which rows of the latest list known leads are as they are, where nothing was told of them since."""
        # Of several rows about one person each would change what the one before it said, whenever they come again.
        this = next((one.data["list"] for one in captures if "row" in one.data), None)
        if this is None or not self.keys_of:
            return
        told = Event.objects.in_force().filter(lead__in=list(self.keys_of), kind__in=(RECEIVED, "edited"))
        latest: dict[UUID, str | None] = {}
        for lead_id, list_, row in told.order_by("id").values_list("lead_id", KT("data__list"), KT("data__row")):
            if list_ is None or list_ != latest.get(lead_id):
                latest[lead_id], self.rows[lead_id] = list_, set()
            if list_ != this:
                self.rows[lead_id].add(row)

    def _remember(self, lead: Lead, key: Key) -> None:
        self.by_key.setdefault(key, []).append(lead)
        self.keys_of.setdefault(lead.pk, set()).add(key)

    def _companies(self, captures: list[Capture]) -> dict[str, Company]:
        names: dict[str, str] = {}
        for capture in captures:
            if capture.email and (domain := business_domain(capture.email)):
                names[domain] = names.get(domain) or capture.company
        if not names:
            return {}
        known = {one.domain: one for one in COMPANIES.rows(list(names))}
        missing = [
            row_of(Company, workspace_id=self.workspace.pk, domain=one, name=(names[one] or one)[:200])
            for one in sorted(set(names) - set(known))
        ]
        made = insert_absent(missing)
        known.update({one.domain: one for one in missing if one.pk in made})
        if others := [one.domain for one in missing if one.pk not in made]:
            known.update({one.domain: one for one in Company.objects.filter(domain__in=others)})
        return known

    def _match(self, capture: Capture) -> Lead | None:
        """External id, then e-mail, then a phone that nothing contradicts; a second lead is filed as a suspect."""
        found: list[Lead] = []
        for key in capture.keys:
            for lead in sorted(self.by_key.get(key, []), key=lambda one: one.received_at):
                if lead in found:
                    continue
                if key[0] != LeadKey.Kind.PHONE:
                    found.append(lead)
                elif not self._contradicts(lead, capture):
                    found.append(lead)
                    break
        for other in found[1:]:
            first, second = sorted((found[0].pk, other.pk))
            self.suspects.add((first, second))
        return found[0] if found else None

    def _contradicts(self, lead: Lead, capture: Capture) -> bool:
        """Whether an e-mail or an external id of the same system says that this is somebody else."""
        mine = self.keys_of.get(lead.pk, set())
        for kind, value in capture.keys:
            if kind == LeadKey.Kind.EMAIL and any(k == kind and v != value for k, v in mine):
                return True
            if kind == LeadKey.Kind.EXTERNAL:
                system = value.partition("\x1f")[0]
                if any(k == kind and v != value and v.partition("\x1f")[0] == system for k, v in mine):
                    return True
        return False

    def _one(
        self, capture: Capture, result: Received, sources: dict[str, Source], companies: dict[str, Company]
    ) -> None:
        moment = capture.occurred_at or capture.recorded_at or self.at
        source = sources[Source.key_of(capture.channel, capture.campaign, capture.placement)]
        lead = self._match(capture)
        differs: dict[str, Any] = {}
        if lead and capture.data.get("row") in self.rows.get(lead.pk, ()):
            result.lead, result.told = lead, True
            return
        if lead is None:
            moment = capture.occurred_at or capture.customer_since or capture.about or moment
            lead = row_of(
                Lead,
                workspace_id=self.workspace.pk,
                source_id=source.pk,
                received_at=moment,
                created_at=self.at,
                updated_at=self.at,
                company_name=capture.company,
                fields=dict(capture.fields),
                stage=capture.stage or Stage.NEW,
                customer_since=capture.customer_since,
                holder_id=capture.holder.pk if capture.holder else None,
                **{name: getattr(capture, name) for name in FILLED},
            )
            # Whoever answers with the lead needs no query for where it came from.
            lead.source = source
            self.created[lead.pk] = lead
            result.created = result.changed = True
        else:
            result.changed = self._update(lead, capture, differs)
            # Nobody says when, then it is now; of two at once the later to come may carry the earlier now.
            if moment != self.at and moment < lead.received_at:
                lead.received_at, result.changed = moment, True
                if source.is_known or not lead.source.is_known:
                    lead.source = source
            since = capture.customer_since
            if since and lead.stage in (*MARKETING, Stage.CUSTOMER) and since < (lead.customer_since or self.at):
                lead.customer_since, result.changed = since, True
            if result.changed and lead.pk not in self.created:
                self.rows.pop(lead.pk, None)
                lead.updated_at = self.at
                self.changed[lead.pk] = lead
        company = companies.get(business_domain(capture.email)) if lead.company_id is None else None
        if company:
            lead.company = company
            if lead.pk not in self.created:
                self.changed[lead.pk] = lead
        for key in capture.keys:
            if key not in self.keys_of.get(lead.pk, ()) and self._free(key):
                self.new_keys.append(
                    row_of(LeadKey, workspace_id=self.workspace.pk, lead_id=lead.pk, kind=key[0], value=key[1])
                )
                self._remember(lead, key)
        result.lead = lead
        if capture.is_ended:
            self.ended.add(lead.pk)
        is_told = capture.kind == RECEIVED and not capture.consents and (lead.pk, source.pk, moment) in self.told
        if not result.changed and (capture.silent_when_same or is_told):
            return
        result.event = row_of(
            Event,
            workspace_id=self.workspace.pk,
            lead_id=lead.pk,
            kind=capture.kind,
            occurred_at=moment,
            recorded_at=capture.recorded_at or self.at,
            actor_id=self.by.pk if self.by else None,
            source_id=source.pk,
            data={
                **capture.data,
                **({"differs": differs} if differs else {}),
                **({"asks": True} if capture.asks else {}),
                **({} if capture.handover else {"handover": False}),
                **({"new": True} if result.created else {}),
            },
        )
        # The card of a handoff says where each touch came from.
        result.event.source = source
        self.events.append(result.event)
        if result.created and capture.stage:
            self.events.append(
                moved_event(
                    lead.workspace_id, lead.pk, Stage.NEW, capture.stage, at=self.at, by=self.by, because="imported"
                )
            )
        if capture.consents:
            self.consents.append((lead, result.event, capture.consents))

    def _free(self, key: Key) -> bool:
        return key[0] == LeadKey.Kind.PHONE or not self.by_key.get(key)

    def _update(self, lead: Lead, capture: Capture, differs: dict[str, Any]) -> bool:
        """Fill blanks; overwrite only for a door that knows better; what a public door says else stays in `differs`."""
        changed = False
        given = {name: getattr(capture, name) for name in FILLED} | {"company_name": capture.company}
        for name, value in given.items():
            old = getattr(lead, name)
            if not value or value == old:
                continue
            if name in ("external_id", "external_system") and lead.external_id:
                continue
            if name == "email" and not self._mine_or_free(lead, capture, LeadKey.Kind.EMAIL):
                differs[name] = value
            elif not old or capture.overwrite:
                setattr(lead, name, value)
                changed = True
            else:
                differs[name] = value
        for name, value in capture.fields.items():
            old = lead.fields.get(name)
            if old == value:
                continue
            if old is None or capture.overwrite:
                lead.fields = {**lead.fields, name: value}
                changed = True
            else:
                differs[f"fields.{name}"] = value
        if changed:
            lead.version += 1
        return changed

    def _mine_or_free(self, lead: Lead, capture: Capture, kind: str) -> bool:
        return all(lead in self.by_key.get(key, [lead]) for key in capture.keys if key[0] == kind)

    def _write(self) -> None:
        for lead in (*self.created.values(), *self.changed.values()):
            lead.search = lead.search_text()
            if lead.stage == Stage.CUSTOMER:
                lead.customer_since = lead.customer_since or lead.received_at
        if self.changed:
            # An upsert by primary key: one statement where bulk_update writes a CASE per row and column.
            Lead.objects.bulk_create(
                list(self.changed.values()),
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=[
                    *FILLED, "company_name", "company", "fields", "search",
                    "received_at", "customer_since", "source", "updated_at", "version",
                ],
                batch_size=500,
            )  # fmt: skip
        quiet = set() if self.lane == Lane.LIVE else {event.kind for event in self.events}
        record_all(self.events, quiet=quiet, along=[list(self.created.values()), self.new_keys])
        if self.lane == Lane.BULK:
            self._record_chunks()
        insert_all(
            [
                Consent(
                    workspace=self.workspace, lead=lead, channel=channel, text=text,
                    given_at=event.occurred_at, event=event,
                )
                for lead, event, consents in self.consents
                for channel, text in consents.items()
            ]
        )  # fmt: skip
        if self.suspects:
            Suspect.objects.bulk_create(
                [
                    Suspect(
                        workspace=self.workspace, first_id=first, second_id=second,
                        why="One capture had keys of both.", filed_at=self.at,
                    )
                    for first, second in sorted(self.suspects)
                ],
                ignore_conflicts=True,
            )  # fmt: skip

    def _record_chunks(self) -> None:
        touched = list(dict.fromkeys(event.lead_id for event in self.events))
        chunks = [touched[start : start + CHUNK] for start in range(0, len(touched), CHUNK)]
        record_all(
            [
                Event(
                    workspace=self.workspace, kind="received_batch", occurred_at=self.at, recorded_at=self.at,
                    actor=self.by,
                    data={
                        "leads": [str(pk) for pk in chunk],
                        **({"ended": ended} if (ended := [str(pk) for pk in chunk if pk in self.ended]) else {}),
                        **({"go": True} if self.go else {}),
                    },
                )
                for chunk in chunks
            ],
            lane=Lane.BULK,
        )  # fmt: skip
