"""What is to be won in a month: by each rep, and by all together."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from funnel.workspaces.models import Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped


class TargetQuerySet(models.QuerySet["Target"]):
    def readable_by(self, member: Member) -> TargetQuerySet:
        """A rep reads their own, everybody else all."""
        return self.filter(member=member) if member.role == "rep" else self

    def of(self, months: Iterable[date], member: Member | None = None) -> int | None:
        """What is to be won in these months by one member, or by all together; None where nothing is said of any.

        All together: the month's own target, else the sum of its members'.
        """
        found: dict[date, dict[Any, int]] = {}
        for month, whose, amount in self.filter(month__in=list(months)).values_list("month", "member", "amount"):
            found.setdefault(month, {})[whose] = amount
        if member is not None:
            sums = [said[member.pk] for said in found.values() if member.pk in said]
        else:
            sums = [said[None] if None in said else sum(said.values()) for said in found.values()]
        return sum(sums) if sums else None


class Target(TenantRow):
    """A month's target in minor units of our currency; `month` is its first day, and no member means together."""

    month = models.DateField()
    member = TenantForeignKey(Member, models.CASCADE, null=True, related_name="+", db_index=False)
    amount = models.BigIntegerField()
    set_at = models.DateTimeField()

    objects: ClassVar[Any] = scoped(TargetQuerySet)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "month", "member"], name="target_once"),
            models.UniqueConstraint(
                fields=["workspace", "month"], name="target_together", condition=Q(member__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
