"""What is to be won in a month: by each rep, and by all together."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from funnel.workspaces.models import Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped


class TargetQuerySet(models.QuerySet["Target"]):
    def readable_by(self, member: Member) -> TargetQuerySet:
        """A rep reads their own, everybody else all."""
        return self.filter(member=member) if member.role == "rep" else self

    def said(self, months: Iterable[date]) -> Said:
        """What is said of these months, by one query."""
        found: Said = {}
        for month, whose, amount in self.filter(month__in=list(months)).values_list("month", "member", "amount"):
            found.setdefault(month, {})[whose] = amount
        return found

    def of(self, months: Iterable[date], member: Member | None = None) -> int | None:
        """What is to be won in these months by one member, or by all together; None where nothing is said of any."""
        months = list(months)
        return total(self.said(months), months, member.pk if member else None)


Said = dict[date, dict[UUID | None, int]]


def total(said: Said, months: Iterable[date], whose: UUID | None) -> int | None:
    """The sum of some months of one member, or of all together: the month's own target, else its members' sum."""
    rows = [said[month] for month in months if month in said]
    if whose is None:
        sums = [row[None] if None in row else sum(row.values()) for row in rows]
    else:
        sums = [row[whose] for row in rows if whose in row]
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
