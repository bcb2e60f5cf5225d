"""What happened (Event), and what must follow from it (Effect)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.lookups import IsNull

from funnel.workspaces.models import Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped


class Unindexed(models.Func):
    """A column whose index SQLite shall leave alone: to it a unique one promises one row, also where nearly all are
    NULL, and it would rather read a whole table in the order of its groups than sort the few that are asked for."""

    arity = 1
    template = "%(expressions)s"

    def __init__(self, column: str, output_field: models.Field[Any, Any]) -> None:
        super().__init__(column, output_field=output_field)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Write it with the sign that keeps SQLite from its indexes."""
        return self.as_sql(compiler, connection, template="+%(expressions)s", **context)


class EventQuerySet(models.QuerySet["Event"]):
    def in_force(self) -> EventQuerySet:
        """Without those that a later event has voided, and without the voiding itself."""
        return self.filter(voided_by=None).filter(IsNull(Unindexed("voids_id", models.BigIntegerField()), True))

    def timeline(self) -> EventQuerySet:
        """Latest first, with what a page says of each."""
        return self.select_related("actor__user", "source", "voided_by__actor__user").order_by("-occurred_at", "-id")


class Event(TenantRow):
    """One thing that happened: a lead's timeline and its audit. Append-only; voided by a later one, never deleted."""

    lead = TenantForeignKey("funnel.Lead", models.CASCADE, null=True, related_name="events", db_index=False)
    kind = models.CharField(max_length=40)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    actor = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    source = TenantForeignKey("funnel.Source", models.PROTECT, null=True, related_name="+", db_index=False)
    data = models.JSONField(default=dict)
    voids = models.OneToOneField("self", models.CASCADE, null=True, related_name="voided_by", db_constraint=False)
    # Its place in the feed, given by whoever reads it first (see feed.py).
    position = models.BigIntegerField(null=True)

    objects: ClassVar[Any] = scoped(EventQuerySet)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "lead", "-occurred_at", "-id"], name="event_timeline"),
            models.Index(fields=["workspace", "kind", "-occurred_at"], name="event_kind"),
            models.Index(fields=["workspace", "id"], name="event_unplaced", condition=models.Q(position=None)),
            # Whether one of us has spoken to a lead, without a look at everything that the lead did meanwhile.
            models.Index(
                fields=["workspace", "lead", "kind", "occurred_at"],
                name="event_by_people",
                condition=models.Q(actor__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "position"], name="event_position", condition=models.Q(position__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def is_in_force(self) -> bool:
        """Neither taken back nor itself the taking back of another; read with timeline()."""
        return self.voids_id is None and getattr(self, "voided_by", None) is None


class Feed(TenantRow):
    """How far a workspace's feed of events goes; whoever lengthens it holds this row."""

    last = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace"], name="feed_once")]


class Lane(models.TextChoices):
    LIVE = "live", "live"
    BULK = "bulk", "bulk"
    MAIL = "mail", "mail"


class State(models.TextChoices):
    DUE = "due", "waits"
    DONE = "done", "done"
    STUCK = "stuck", "stuck"


class Effect(models.Model):
    """One handler's duty towards one event; outside row-level security, because claiming looks across workspaces."""

    workspace = models.ForeignKey("funnel.Workspace", models.CASCADE, related_name="+", db_index=False)
    event = TenantForeignKey(Event, models.CASCADE, related_name="effects", db_index=False)
    handler = models.CharField(max_length=40)
    lane = models.CharField(max_length=4, choices=Lane.choices)
    state = models.CharField(max_length=5, choices=State.choices, default=State.DUE)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    lease = models.CharField(max_length=32, default="", blank=True)
    error = models.CharField(max_length=300, default="", blank=True)

    objects: ClassVar[Any] = scoped()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "handler"], name="effect_once")]
        indexes = [
            models.Index(
                fields=["workspace", "lane", "due_at", "id"],
                name="effect_due",
                condition=models.Q(state="due"),
            ),
            models.Index(fields=["workspace"], name="effect_stuck", condition=models.Q(state="stuck")),
        ]

    def __str__(self) -> str:
        return f"{self.handler} of event {self.event_id}"


class Heartbeat(models.Model):
    """When the worker and the beat were last seen."""

    name = models.CharField(primary_key=True, max_length=40)
    seen_at = models.DateTimeField()
