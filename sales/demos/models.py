"""Demos of what we sell, each with one rep, and the page by which people outside book one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, TruncDate
from django.urls import reverse

from funnel.leads.models import Lead
from funnel.workspaces.doors import token_for
from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import LEADERS, Member, TimeOff
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped
from sales.deals.models import Deal

MEETING = "Meeting"
LONGEST_REASON = 300


class DemoState(models.TextChoices):
    BOOKED = "booked", "Booked"
    HELD = "held", "Held"
    MISSED = "missed", "Missed"
    CANCELLED = "cancelled", "Cancelled"


# What takes a rep's time: two such demos of one rep never overlap (demo_no_overlap on PostgreSQL).
TAKES_TIME = (DemoState.BOOKED, DemoState.HELD)


class DemoQuerySet(models.QuerySet["Demo"]):
    def booked(self) -> DemoQuerySet:
        return self.filter(state=DemoState.BOOKED)

    def upcoming(self, at: datetime) -> DemoQuerySet:
        """Those that are to come or run just now, the next one first."""
        return self.booked().filter(ends_at__gt=at).order_by("starts_at", "id")

    def undecided(self, at: datetime) -> DemoQuerySet:
        """Those that are over, and nobody has said how it went."""
        return self.booked().filter(ends_at__lte=at).order_by("starts_at", "id")

    def clashing(self, holder: Member, starts_at: datetime, ends_at: datetime) -> DemoQuerySet:
        """What the member does in that time; one that ends as another begins does not clash."""
        return self.filter(holder=holder, state__in=TAKES_TIME, starts_at__lt=ends_at, ends_at__gt=starts_at)

    def changeable_by(self, member: Member) -> DemoQuerySet:
        """Owner and manager change every demo, a rep one's own and those with one's own leads."""
        if member.role in LEADERS:
            return self
        return self.filter(Q(holder=member) | Q(lead__holder=member)) if member.role == "rep" else self.none()

    def with_people(self) -> DemoQuerySet:
        return self.select_related("lead", "holder__user")

    def with_preparing(self) -> DemoQuerySet:
        """Each with what the lead is to `prepare`, as booking.prepare_for says it of one."""
        page = BookingPage.objects.filter(member=OuterRef("holder"), title=OuterRef("title")).values("before")
        return self.annotate(prepare=Coalesce("before", Subquery(page)))

    def with_away(self) -> DemoQuerySet:
        """Each with whether its rep has the day off on which it begins, as `away`."""
        days = TimeOff.objects.filter(member=OuterRef("holder")).on(OuterRef("begins_on"))
        return self.annotate(begins_on=TruncDate("starts_at"), away=Exists(days))


class Demo(TenantRow):
    """One demo: with whom, when, where, how it ended. `sequence` counts what changed for calendars (RFC 5546).

    `booked_by` is nobody where the lead booked it; `zone` is the lead's clock, blank for the business's; `wall` is what
    the business's clock shows as it begins, which stays when a country changes the rules of its clocks (clocks.py);
    `words` are the lead's own at booking, `note` the rep's afterwards; `before` is what to prepare,
    nothing where the rep's page says it for meetings of this title.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lead = TenantForeignKey(Lead, models.CASCADE, related_name="demos", db_index=False)
    deal = TenantForeignKey(Deal, models.SET_NULL, null=True, related_name="demos", db_index=False)
    holder = TenantForeignKey(Member, models.PROTECT, related_name="demos", db_index=False)
    booked_by = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    title = models.CharField(max_length=120)
    place = models.CharField(max_length=300, blank=True)
    before = models.TextField(null=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    zone = models.CharField(max_length=64, blank=True)
    wall = models.CharField(max_length=90, blank=True)
    state = models.CharField(max_length=9, choices=DemoState.choices, default=DemoState.BOOKED)
    sequence = models.PositiveIntegerField(default=0)
    words = models.TextField(blank=True)
    note = models.TextField(blank=True)
    reason = models.CharField(max_length=LONGEST_REASON, blank=True)
    digest = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)

    objects: ClassVar[Any] = scoped(DemoQuerySet)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(starts_at__lt=F("ends_at")), name="demo_in_order"),
            models.UniqueConstraint(fields=["workspace", "digest"], name="demo_door"),
        ]
        indexes = [
            models.Index(fields=["workspace", "holder", "starts_at"], name="demo_holder"),
            models.Index(fields=["workspace", "lead", "-starts_at"], name="demo_lead"),
            models.Index(fields=["workspace", "-made_at", "-id"], name="demo_recent"),
            models.Index(fields=["workspace", "updated_at", "id"], name="demo_updated"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def length(self) -> timedelta:
        return self.ends_at - self.starts_at

    @property
    def path(self) -> str:
        """Where the lead sees, moves and cancels it; who has this address is taken for the lead."""
        return reverse("meeting", args=[token_for("demo", self.pk)])


class BookingPage(TenantRow):
    """A member's page for people outside: what the meeting is, how long, where, and how soon it can be."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    token = models.CharField(max_length=40, unique=True)
    member = TenantForeignKey(Member, models.CASCADE, related_name="+", db_index=False)
    title = models.CharField(max_length=120, default=MEETING)
    intro = models.TextField(blank=True, max_length=600)
    minutes = models.PositiveSmallIntegerField(default=30)
    place = models.CharField(max_length=300, blank=True)
    before = models.TextField(blank=True, max_length=600)
    gap_minutes = models.PositiveSmallIntegerField(default=0)
    notice_hours = models.PositiveSmallIntegerField(default=4)
    is_open = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "member"], name="booking_page_once")]

    def __str__(self) -> str:
        return self.title

    @property
    def path(self) -> str:
        return reverse("booking", args=[self.token])
