"""Marketing work with one goal, an offer, a budget and dates."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from funnel.leads.models import Source
from funnel.workspaces.ids import uuid7
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped
from marketing.channels.models import Channel


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def running(self, day: date) -> CampaignQuerySet:
        """Those that have begun and have not ended on that day; without dates a campaign always runs."""
        return self.filter(Q(starts_on=None) | Q(starts_on__lte=day)).filter(Q(ends_on=None) | Q(ends_on__gte=day))


class Campaign(TenantRow):
    """One campaign; `key` is the name by which sources say it, so that it can be renamed. `tag` is in its links."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=120)
    name = models.CharField(max_length=120)
    goal = models.CharField(max_length=300, blank=True)
    offer = models.CharField(max_length=300, blank=True)
    starts_on = models.DateField(null=True, blank=True)
    ends_on = models.DateField(null=True, blank=True)
    budget = models.BigIntegerField(null=True, blank=True)
    is_new = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    channels: models.ManyToManyField[Channel, models.Model] = models.ManyToManyField(
        Channel, through="CampaignChannel", related_name="campaigns"
    )

    objects: ClassVar[Any] = scoped(CampaignQuerySet)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="campaign_once")]
        indexes = [models.Index(fields=["workspace", "-created_at"], name="campaign_recent")]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def key_of(name: str) -> str:
        """The key under which a name is kept: links write "lower-bills", integrations "Lower bills"."""
        return " ".join(name.casefold().replace("-", " ").replace("_", " ").split())[:120]

    @property
    def said(self) -> str:
        """The campaign as sources say it: by its name, or by its key once it was renamed, by which they find it."""
        return self.name if self.key_of(self.name) == self.key else self.key

    @property
    def tag(self) -> str:
        """The campaign's name in a link."""
        return self.key.replace(" ", "-")


class CampaignChannel(TenantRow):
    """A channel that a campaign means to use."""

    campaign = TenantForeignKey(Campaign, models.CASCADE, related_name="+")
    channel = TenantForeignKey(Channel, models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "campaign", "channel"], name="campaignchannel_once")
        ]


class PlacementQuerySet(models.QuerySet["Placement"]):
    def to_look_at(self) -> PlacementQuerySet:
        """Those that came with a name never seen before, and that nobody has confirmed."""
        return self.filter(is_new=True)

    def told(self) -> PlacementQuerySet:
        """With what a page says of each, latest first."""
        return self.select_related("source", "channel", "campaign").order_by("-id")


class Placement(TenantRow):
    """What marketing knows of a source that the hall has seen: which channel and which campaign it belongs to."""

    source = TenantForeignKey(Source, models.CASCADE, related_name="placements")
    channel = TenantForeignKey(Channel, models.PROTECT, related_name="placements")
    campaign = TenantForeignKey(Campaign, models.PROTECT, null=True, related_name="placements")
    is_new = models.BooleanField(default=True)

    objects: ClassVar[Any] = scoped(PlacementQuerySet)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "source"], name="placement_once")]

    def __str__(self) -> str:
        return " · ".join(part for part in (self.channel.name, self.source.campaign, self.source.placement) if part)
