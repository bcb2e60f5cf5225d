"""Why deals are lost, and when those people may come back."""

from __future__ import annotations

from django.db import models

from funnel.workspaces.scoping import TenantRow


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
