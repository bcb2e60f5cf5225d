"""The media over which a business is seen."""

from __future__ import annotations

from django.db import models

from funnel.workspaces.scoping import TenantRow


class Channel(TenantRow):
    """A medium, online or off; `key` is the name by which sources say it."""

    key = models.CharField(max_length=80)
    name = models.CharField(max_length=80)
    online = models.BooleanField(default=True)
    is_new = models.BooleanField(default=False)
    position = models.PositiveSmallIntegerField(default=99)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="channel_once")]
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name
