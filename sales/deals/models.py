"""One possible sale to a lead, of which a customer may have several over time; and why deals are lost."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from funnel.leads.models import Lead
from funnel.outbox.actions import record
from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import LEADERS, Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped


class DealStage(models.TextChoices):
    QUALIFIED = "qualified", "Qualified"
    DEMO = "demo", "Demo"
    NEGOTIATION = "negotiation", "Negotiation"
    WON = "won", "Won"
    LOST = "lost", "Lost"


# In the order of the way; the furthest one says where the lead is.
OPEN = (DealStage.QUALIFIED, DealStage.DEMO, DealStage.NEGOTIATION)
MOVES: dict[DealStage, frozenset[DealStage]] = {
    **{stage: frozenset({*OPEN, DealStage.WON, DealStage.LOST} - {stage}) for stage in OPEN},
    DealStage.WON: frozenset(OPEN),
    DealStage.LOST: frozenset({*OPEN, DealStage.WON}),
}

# After that the figures have been read; what was wrong then is booked anew, not taken back.
UNDO_WITHIN = timedelta(days=1)


class LostReason(TenantRow):
    """A reason for a lost deal: how long the lead cools, or that nobody calls again; some ask for a date or a rival."""

    key = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    # None: no day on which the lead comes back by itself.
    cool_days = models.PositiveSmallIntegerField(null=True)
    asks_date = models.BooleanField(default=False)
    asks_competitor = models.BooleanField(default=False)
    position = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="lostreason_once")]
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class DealQuerySet(models.QuerySet["Deal"]):
    def open(self) -> DealQuerySet:
        return self.filter(stage__in=OPEN)

    def changeable_by(self, member: Member) -> DealQuerySet:
        """Owner and manager change every deal, a rep one's own."""
        if member.role in LEADERS:
            return self
        return self.filter(holder=member) if member.role == "rep" else self.none()

    def told(self) -> DealQuerySet:
        """With the lead and the holder that a page names."""
        return self.select_related("lead__company", "lead__workspace", "lead__holder__user", "holder__user")

    def open_leads(self, lead_ids: Collection[UUID]) -> set[UUID]:
        """Those of the leads that have an open deal."""
        return set(self.open().filter(lead__in=list(lead_ids)).values_list("lead_id", flat=True))


class Deal(TenantRow):
    """One deal: what it is about, where it stands and since when, what it is worth in minor units, how it ended.

    `stage_before` is where an undo leads back to; `made_customer` says that this win made the lead a customer.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lead = TenantForeignKey(Lead, models.CASCADE, related_name="deals", db_index=False)
    title = models.CharField(max_length=200)
    stage = models.CharField(max_length=11, choices=DealStage.choices, default=DealStage.QUALIFIED)
    stage_since = models.DateTimeField()
    holder = TenantForeignKey(Member, models.PROTECT, related_name="deals", db_index=False)
    amount = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    stage_before = models.CharField(max_length=11, choices=DealStage.choices, blank=True)
    made_customer = models.BooleanField(default=False)
    reason = models.CharField(max_length=200, blank=True)
    lost_reason = TenantForeignKey(LostReason, models.PROTECT, null=True, related_name="+", db_index=False)
    competitor = models.CharField(max_length=120, blank=True)
    note = models.TextField(blank=True)
    external_system = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=200, blank=True)
    made_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    objects: ClassVar[Any] = scoped(DealQuerySet)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "external_system", "external_id"],
                name="deal_external",
                condition=~Q(external_id=""),
            )
        ]
        indexes = [
            models.Index(fields=["workspace", "stage", "-stage_since", "-id"], name="deal_board"),
            models.Index(fields=["workspace", "lead", "stage"], name="deal_lead"),
            models.Index(fields=["workspace", "holder", "stage", "-stage_since", "-id"], name="deal_holder"),
            # Whatever open deals are summed by, so that no row is read for it.
            models.Index(
                fields=["workspace", "stage", "holder", "currency", "stage_since", "amount"], name="deal_sums"
            ),
            models.Index(fields=["workspace", "-made_at", "-id"], name="deal_recent"),
            models.Index(fields=["workspace", "updated_at", "id"], name="deal_updated"),
            models.Index(fields=["workspace", "closed_at"], name="deal_closed", condition=Q(closed_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def named(self) -> str:
        """The deal in a sentence, one among several of a lead: “deal “Battery” with Ann Bell”."""
        lead = str(self.lead)
        return f"deal with {lead}" if self.title == lead[:200] else f"deal “{self.title}” with {lead}"

    @property
    def is_open(self) -> bool:
        return self.stage in OPEN

    @property
    def undo_until(self) -> datetime | None:
        """Until when a win or a loss can be taken back; None for an open deal."""
        return self.decided_at + UNDO_WITHIN if self.decided_at else None

    def why_closed(self, at: datetime) -> str:
        """Why a deal that has ended takes no change, and what to do instead."""
        undoes = self.undo_until is not None and at <= self.undo_until
        way = "Undo that first." if undoes else "Open another deal for what is new."
        return f"The {self.named} is {self.get_stage_display().lower()}, so it stays as it is. {way}"

    def move(self, to: DealStage, *, at: datetime, by: Member | None, occurred_at: datetime, **also: Any) -> bool:
        """Move the deal to a stage, the only way that its stage changes: compare-and-set, with its event.

        False where the move isn't allowed or somebody was faster. `also` are further columns of the same update.
        """
        was = DealStage(self.stage)
        if to not in MOVES[was]:
            return False
        values = {"stage": to, "stage_since": occurred_at, "updated_at": at, **also}
        since = self.stage_since
        if not Deal.objects.filter(pk=self.pk, stage=was).update(**values):
            return False
        for name, value in values.items():
            setattr(self, name, value)
        record(
            self.workspace_id, "deal_moved", at=at, lead_id=self.lead_id, occurred_at=occurred_at, actor=by,
            data={
                "deal": str(self.pk), "title": self.title, "from": str(was), "to": str(to), "since": since.isoformat(),
            },
        )  # fmt: skip
        return True
