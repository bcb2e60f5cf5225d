"""One person on the way to becoming a customer, and how we know that it is the same one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Least, StrIndex
from django.db.models.lookups import GreaterThan

from funnel.leads import finding
from funnel.leads.stages import ARRIVALS, MOVES, SALES, Stage
from funnel.outbox.actions import record_all
from funnel.outbox.models import Event
from funnel.workspaces.ids import uuid7
from funnel.workspaces.inserting import row_of
from funnel.workspaces.models import LEADERS, Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped
from funnel.workspaces.slots import slot


class Company(TenantRow):
    """The business a lead works for, matched by its mail domain."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    domain = models.CharField(max_length=255)
    holder = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "domain"], name="company_domain")]

    def __str__(self) -> str:
        return self.name


class Source(TenantRow):
    """Where a touch came from: channel, campaign and placement, three names; unique without case."""

    channel = models.CharField(max_length=80, default="unknown")
    campaign = models.CharField(max_length=120, blank=True)
    placement = models.CharField(max_length=120, blank=True)
    key = models.CharField(max_length=340)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="source_once")]

    def __str__(self) -> str:
        return " · ".join(part for part in (self.channel, self.campaign, self.placement) if part)

    @property
    def is_known(self) -> bool:
        """Whether it says where somebody came from; one that doesn't never takes the place of one that does."""
        return self.channel.casefold() != "unknown"

    @staticmethod
    def key_of(channel: str, campaign: str, placement: str) -> str:
        """The three names without case, as one string; cut, because a letter can become three without its case."""
        return "\x1f".join(name.casefold() for name in (channel, campaign, placement))[:340]


class FieldDefinition(TenantRow):
    """A field of the business's own, kept in `Lead.fields` under its name."""

    class Kind(models.TextChoices):
        TEXT = "text", "Text"
        NUMBER = "number", "Number"
        DATE = "date", "Date"
        YES_NO = "yes_no", "Yes or no"
        CHOICE = "choice", "Choice"

    name = models.CharField(max_length=60)
    label = models.CharField(max_length=120)
    kind = models.CharField(max_length=6, choices=Kind.choices, default=Kind.TEXT)
    choices = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="field_once")]
        ordering = ["id"]

    def __str__(self) -> str:
        return self.label


class LeadQuerySet(models.QuerySet["Lead"]):
    def visible_to(self, member: Member) -> LeadQuerySet:
        """Everybody reads every lead of the workspace."""
        return self

    def changeable_by(self, member: Member) -> LeadQuerySet:
        """Owner, manager and marketer change any lead; a rep one's own and those offered; a viewer none."""
        if member.role in (*LEADERS, "marketer"):
            return self
        if member.role == "rep":
            # A subquery, not a join: two open offers may not list a lead twice.
            from django.apps import apps

            offered = apps.get_model("funnel", "Handoff").objects.filter(
                Q(offered_to=member) | Q(offered_to=None), outcome=""
            )
            return self.filter(Q(holder=member) | Q(pk__in=offered.values("lead_id")))
        return self.none()

    def on_the_way(self) -> LeadQuerySet:
        return self.exclude(stage__in=(Stage.CUSTOMER, Stage.LOST, Stage.DISQUALIFIED))

    def found_by(self, words: str) -> LeadQuerySet:
        """Those whose name, e-mail, phone or company contains every word."""
        asked = words.casefold().split()[:6]
        ids = finding.leads_with(asked, self._workspace_id())
        found = self if ids is None else self.filter(pk__in=ids)
        for word in asked:
            # Not LIKE: PostgreSQL takes any word for a rare one, and then reads every lead to find many.
            found = found.filter(GreaterThan(StrIndex("search", Value(word)), 0))
        return found

    def locked(self, ids: Iterable[UUID], *related: str) -> dict[UUID, Lead]:
        """The leads with what they are related to, locked in id order: no two handlers wait for each other."""
        rows = self.filter(pk__in=list(ids)).order_by("pk").select_for_update(of=("self",))
        return {lead.pk: lead for lead in (rows.select_related(*related) if related else rows)}

    def move(
        self,
        to: Stage,
        *,
        at: datetime,
        by: Member | None = None,
        holder: Member | None = None,
        because: str = "",
        occurred_at: datetime | None = None,
        **also: Any,
    ) -> int:
        """Move the queryset's leads to a stage, the only way that a stage changes.

        Compare-and-set per old stage, one event per move; a lead for which the move isn't allowed stays. `holder` is
        set where the new stage is sales', kept for a customer, cleared elsewhere. `occurred_at` is when it was so, for
        what is told afterwards. `also` are further columns of the same update. Gives how many moved.
        """
        by_stage: dict[str, list[UUID]] = {}
        for pk, stage in self.values_list("pk", "stage"):
            if to in MOVES[Stage(stage)]:
                by_stage.setdefault(stage, []).append(pk)
        moved, workspace_id = 0, self._workspace_id()
        values: dict[str, Any] = {"stage": to, "updated_at": at, **also}
        if to in SALES or (to == Stage.CUSTOMER and holder is not None):
            if holder is not None:
                values["holder"] = holder
        elif to != Stage.CUSTOMER:
            values["holder"] = None
        if to != Stage.NURTURING:
            values.setdefault("waits_since", None)
            values.setdefault("way_back", None)
        if to in (*SALES, Stage.CUSTOMER):
            # Who is with sales, or has bought, waits for no day; a customer's is promised after that.
            values.setdefault("cool_until", None)
        if to in ARRIVALS:
            moment = Value(occurred_at or at, output_field=models.DateTimeField())
            values[ARRIVALS[to]] = Least(Coalesce(F(ARRIVALS[to]), moment), moment)
        for old, ids in by_stage.items():
            if old not in (*SALES, Stage.READY) and to not in (Stage.NEW, Stage.NURTURING):
                for plugged in slot("leaves_marketing"):
                    plugged(ids, to, at=at)
            changed = Lead.objects.filter(pk__in=ids, stage=old).update(**values)
            if changed != len(ids):
                ids = list(Lead.objects.filter(pk__in=ids, stage=to, updated_at=at).values_list("pk", flat=True))
            moved += changed
            record_all(
                [
                    moved_event(workspace_id, pk, old, to, at=at, by=by, because=because, occurred_at=occurred_at)
                    for pk in ids
                ]
            )
        return moved

    @staticmethod
    def _workspace_id() -> UUID:
        from django_scopes import get_scope

        return get_scope()["workspace"]


def moved_event(
    workspace_id: UUID,
    lead_id: UUID,
    old: str,
    to: Stage,
    *,
    at: datetime,
    by: Member | None,
    because: str,
    occurred_at: datetime | None = None,
) -> Event:
    """Make the event that tells of a move; whoever moves writes it."""
    return row_of(
        Event,
        workspace_id=workspace_id,
        lead_id=lead_id,
        kind="moved",
        occurred_at=occurred_at or at,
        recorded_at=at,
        actor_id=by.pk if by else None,
        data={"from": str(old), "to": str(to), **({"because": because} if because else {})},
    )


class Lead(TenantRow):
    """One person (with or without a company), from first capture to customer: one row."""

    # What a lead may be called by.
    NAMES = ("name", "email", "phone", "company_name", "external_id")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(max_length=254, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    company_name = models.CharField(max_length=200, blank=True)
    company = TenantForeignKey(Company, models.SET_NULL, null=True, related_name="leads")
    external_system = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=200, blank=True)
    stage = models.CharField(max_length=12, choices=Stage.choices, default=Stage.NEW)
    holder = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="leads", db_index=False)
    source = TenantForeignKey(Source, models.PROTECT, related_name="leads")
    fields = models.JSONField(default=dict)
    search = models.TextField(blank=True)
    received_at = models.DateTimeField()
    cool_until = models.DateTimeField(null=True)
    # What was said when sales gave it back: what brings it to sales again (see funnel/handoff/wayback.py).
    way_back = models.JSONField(null=True)
    waits_since = models.DateTimeField(null=True)
    customer_since = models.DateTimeField(null=True)
    # When it first came to each stage, as its `moved` events say: reports over every lead can't read a million events.
    ready_at = models.DateTimeField(null=True)
    working_at = models.DateTimeField(null=True)
    qualified_at = models.DateTimeField(null=True)
    demo_at = models.DateTimeField(null=True)
    negotiation_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    objects: ClassVar[Any] = scoped(LeadQuerySet)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-received_at", "-id"], name="lead_recent"),
            models.Index(fields=["workspace", "stage", "-received_at", "-id"], name="lead_stage"),
            models.Index(
                fields=["workspace", "holder", "stage"],
                name="lead_holder",
                condition=Q(holder__isnull=False),
            ),
            models.Index(
                fields=["workspace", "waits_since"],
                name="lead_waits",
                condition=Q(waits_since__isnull=False),
            ),
            models.Index(fields=["workspace", "updated_at", "id"], name="lead_updated"),
            models.Index(
                fields=["workspace", "-customer_since", "-id"],
                name="lead_customer",
                condition=Q(customer_since__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.phone or self.company_name or self.external_id

    def move(self, to: Stage, *, at: datetime, **how: Any) -> bool:
        """Move this lead (see `LeadQuerySet.move`) and read its row again; False when it wasn't allowed."""
        moved = Lead.objects.filter(pk=self.pk).move(to, at=at, **how)
        self.refresh_from_db(
            fields=["stage", "holder", "waits_since", "cool_until", "way_back", "customer_since", "updated_at"]
        )
        return bool(moved)

    def search_text(self) -> str:
        """What `found_by` looks into, in lower case."""
        digits = "".join(sign for sign in self.phone if sign.isdigit())
        return " ".join(
            part for part in (self.name, self.email, self.company_name, digits, self.external_id) if part
        ).casefold()


class SearchText(TenantRow):
    """A lead's `search` once more, narrow, under the index of `finding`; only the database's triggers write it."""

    lead = TenantForeignKey(Lead, models.CASCADE, related_name="+", db_index=False)
    text = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "lead"], name="searchtext_once")]


class OwnId(models.Func):
    """The id within a key of an external system: what stands after the system's name."""

    output_field = models.CharField()
    template = "substr(%(expressions)s, instr(%(expressions)s, char(31)) + 1)"

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Write it as PostgreSQL does."""
        template = "substr(%(expressions)s, strpos(%(expressions)s, chr(31)) + 1)"
        return self.as_sql(compiler, connection, template=template, **context)


class LeadKey(TenantRow):
    """One of the keys by which we know a lead again; a phone may be shared, e-mail and external id may not."""

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        PHONE = "phone", "Phone"
        EXTERNAL = "external", "External id"

    lead = TenantForeignKey(Lead, models.CASCADE, related_name="keys")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    value = models.CharField(max_length=270)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "kind", "value"], name="leadkey_once", condition=~Q(kind="phone")
            ),
            # This holds for phones, and finds every kind: an index with a condition can't, where none is asked with.
            models.UniqueConstraint(fields=["workspace", "value", "kind", "lead"], name="leadkey_found"),
        ]
        # Asked for an id without its system, the list of leads finds it by this.
        indexes = [models.Index("workspace", OwnId("value"), name="leadkey_own_id", condition=Q(kind="external"))]


class Suspect(TenantRow):
    """Two leads that one capture's keys pointed to: perhaps the same person."""

    first = TenantForeignKey(Lead, models.CASCADE, related_name="+")
    second = TenantForeignKey(Lead, models.CASCADE, related_name="+")
    why = models.CharField(max_length=200)
    filed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "first", "second"], name="suspect_once")]


class Consent(TenantRow):
    """What somebody agreed to: the channel, the text that was shown, when and where."""

    lead = TenantForeignKey(Lead, models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=10)
    text = models.TextField()
    given_at = models.DateTimeField()
    event = TenantForeignKey(Event, models.CASCADE, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["workspace", "lead"], name="consent_lead")]


class Suppression(TenantRow):
    """An address that must not get marketing's mail any more, known by its digest alone; it survives erasure."""

    class Why(models.TextChoices):
        UNSUBSCRIBED = "unsubscribed", "They asked for no more mail"
        BOUNCED = "bounced", "Their mail server knows no such address"

    digest = models.CharField(max_length=64)
    why = models.CharField(max_length=12, choices=Why.choices)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "digest"], name="suppression_once")]
