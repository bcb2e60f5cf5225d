"""What came in and what was spent: the one ledger that both wings read."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from funnel.leads.models import Lead, Source
from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped


class Rate(TenantRow):
    """What one unit of a foreign currency was worth in the business's own from a day on, in hundred-millionths."""

    currency = models.CharField(max_length=3)
    from_day = models.DateField()
    rate = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "currency", "from_day"], name="rate_once")]


class RevenueQuerySet(models.QuerySet["Revenue"]):
    def readable_by(self, member: Member) -> RevenueQuerySet:
        """A rep reads what they earned, everybody else all."""
        return self.filter(holder=member) if member.role == "rep" else self


class Revenue(TenantRow):
    """Money that a lead brought. Never changed: a correction is a further row with the opposite amount.

    Amounts are minor units; `base_amount` is in the business's own currency at the rate of its day. `deal_id` is sales'
    reference, unknown here.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lead = TenantForeignKey(Lead, models.PROTECT, related_name="revenue", db_index=False)
    deal_id = models.UUIDField(null=True)
    source = TenantForeignKey(Source, models.PROTECT, related_name="+", db_index=False)
    holder = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    base_amount = models.BigIntegerField()
    what = models.CharField(max_length=200, blank=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    by = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    corrects = models.OneToOneField("self", models.PROTECT, null=True, related_name="corrected_by", db_constraint=False)
    external_system = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=200, blank=True)

    objects: ClassVar[Any] = scoped(RevenueQuerySet)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "external_system", "external_id"],
                name="revenue_external",
                condition=~Q(external_id=""),
            )
        ]
        indexes = [
            models.Index(fields=["workspace", "occurred_at", "id"], name="revenue_when"),
            models.Index(fields=["workspace", "lead"], name="revenue_lead"),
            models.Index(fields=["workspace", "deal_id"], name="revenue_deal", condition=Q(deal_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class Cost(TenantRow):
    """Money spent on a channel and campaign (the source), on a day. Never changed; corrected like revenue."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = TenantForeignKey(Source, models.PROTECT, related_name="costs", db_index=False)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    base_amount = models.BigIntegerField()
    what = models.CharField(max_length=200, blank=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    by = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    corrects = models.OneToOneField("self", models.PROTECT, null=True, related_name="corrected_by", db_constraint=False)
    external_system = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=200, blank=True)

    objects: ClassVar[Any] = scoped()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "external_system", "external_id"],
                name="cost_external",
                condition=~Q(external_id=""),
            )
        ]
        indexes = [
            models.Index(fields=["workspace", "occurred_at", "id"], name="cost_when"),
            models.Index(fields=["workspace", "source"], name="cost_source"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"
