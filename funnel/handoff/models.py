"""Responsibility on its way from marketing to sales: reason, route, clock, and exactly one outcome."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from funnel.leads.models import Lead
from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import LEADERS, Member, Team, TimeOff, Workspace
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped


class Outcome(models.TextChoices):
    OPEN = "", "Waits"
    ACCEPTED = "accepted", "Taken"
    GIVEN_BACK = "given_back", "Given back"
    EXPIRED = "expired", "Expired"
    REROUTED = "rerouted", "Passed on"
    OVERTAKEN = "overtaken", "Overtaken"


class Way(models.TextChoices):
    """How a lead that was given back may come to sales again, once its cool-down is over."""

    JUDGED = "judged", "When they are ready again, like anybody else"
    DATE = "date", "On a day that the rep promised them"
    ENGAGEMENT = "engagement", "When their engagement reaches a line"
    TOUCH = "touch", "When they do one certain thing"


class GiveBackReasonQuerySet(models.QuerySet["GiveBackReason"]):
    def offered(self) -> GiveBackReasonQuerySet:
        """Those that a rep may choose now."""
        return self.filter(retired_at=None)


class GiveBackReason(TenantRow):
    """Why a rep gives a lead back, and what becomes of it: how long it cools and what brings it back, or that it ends.

    A reason that was used is retired and stays; what was promised by it stands on the lead (see wayback.py).
    """

    key = models.SlugField(max_length=40)
    name = models.CharField(max_length=80)
    cool_days = models.PositiveSmallIntegerField(default=30)
    way = models.CharField(max_length=10, choices=Way.choices, default=Way.JUDGED)
    # The engagement of Way.ENGAGEMENT, the kind of touch of Way.TOUCH.
    above = models.PositiveSmallIntegerField(null=True)
    touch = models.CharField(max_length=40, blank=True)
    # Whether they get the nurture mails meanwhile.
    nurtures = models.BooleanField(default=False)
    disqualifies = models.BooleanField(default=False)
    position = models.PositiveSmallIntegerField()
    retired_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = scoped(GiveBackReasonQuerySet)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="reason_once")]
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name

    @property
    def asks_date(self) -> bool:
        """Whether the rep is asked for a day."""
        return self.way == Way.DATE and not self.disqualifies


class RoutingRule(TenantRow):
    """To whom a lead goes for which all conditions hold: a member, or by turn within a team. The first that holds."""

    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=60)
    # [{"field": "channel", "is": "one_of", "value": ["radio"]}]; see funnel/handoff/conditions.py.
    conditions = models.JSONField()
    to = TenantForeignKey(Member, models.PROTECT, null=True, related_name="+", db_index=False)
    team = TenantForeignKey(Team, models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="routingrule_once"),
            models.CheckConstraint(
                condition=Q(to__isnull=True, team__isnull=False) | Q(to__isnull=False, team__isnull=True),
                name="routingrule_one_target",
            ),
        ]
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class HandoffQuerySet(models.QuerySet["Handoff"]):
    def open(self) -> HandoffQuerySet:
        return self.filter(outcome=Outcome.OPEN)

    def pool(self) -> HandoffQuerySet:
        return self.open().filter(offered_to=None)

    def takeable_by(self, member: Member) -> HandoffQuerySet:
        """A rep may take what is offered to them and what is in the pool; owner and manager any."""
        if member.role in LEADERS:
            return self.open()
        if member.role == "rep":
            return self.open().filter(Q(offered_to=member) | Q(offered_to=None))
        return self.none()

    def too_long(self, at: datetime) -> HandoffQuerySet:
        """Those whose lead waits for longer than it was promised at first, or than whoever has it now may take."""
        first = _first_offers().filter(due_at__lt=at)
        return self.open().filter(Q(due_at__lt=at) | Q(Exists(first), began_at__lt=F("opened_at")))

    def with_promise(self) -> HandoffQuerySet:
        """With `promised_at`, by when the lead was to be taken as it was promised at first."""
        first = Subquery(_first_offers().values("due_at")[:1])
        return self.annotate(promised_at=Coalesce(first, "due_at"))

    def with_lead(self) -> HandoffQuerySet:
        return self.select_related("lead__company", "lead__source", "offered_to__user", "reason")


def _first_offers() -> HandoffQuerySet:
    """The offer with which an outer one's lead began to wait."""
    found: HandoffQuerySet = Handoff.objects.filter(lead=OuterRef("lead"), opened_at=OuterRef("began_at"))
    return found


class Handoff(TenantRow):
    """One handoff of one lead; at most one is open per lead."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lead = TenantForeignKey(Lead, models.CASCADE, related_name="handoffs")
    # {"why": sentence, "touched": [...], "promised": [...], "ask": [...]}
    card = models.JSONField(default=dict)
    # {"by": rule, "says": sentence, "because": why it was passed on, "rows": [{"member", "says", "chosen"}]}
    route = models.JSONField(default=dict)
    offered_to = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="offers", db_index=False)
    opened_at = models.DateTimeField()
    # When they were first offered to anybody this time; who gets them after somebody else keeps it.
    began_at = models.DateTimeField()
    # The fit by which the promise was made, and the working minutes within which it was to be taken.
    fit_band = models.CharField(max_length=1, blank=True)
    promise_minutes = models.PositiveIntegerField(default=480)
    remind_at = models.DateTimeField()
    due_at = models.DateTimeField()
    reroute_at = models.DateTimeField()
    # By when somebody is to have spoken to them; nothing was promised before this was kept.
    contact_due_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.OPEN, blank=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    given_back_at = models.DateTimeField(null=True)
    reason = TenantForeignKey(GiveBackReason, models.PROTECT, null=True, related_name="+", db_index=False)
    note = models.TextField(blank=True)
    follows = TenantForeignKey("self", models.SET_NULL, null=True, related_name="+", db_index=False)

    objects: ClassVar[Any] = scoped(HandoffQuerySet)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "lead"], name="handoff_open", condition=Q(outcome=""))
        ]
        indexes = [
            models.Index(fields=["workspace", "offered_to", "due_at"], name="handoff_offered", condition=Q(outcome="")),
            models.Index(fields=["workspace", "lead", "-opened_at"], name="handoff_lead"),
            models.Index(fields=["workspace", "-opened_at"], name="handoff_recent"),
            models.Index(
                fields=["workspace", "-given_back_at"], name="handoff_back", condition=Q(given_back_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"handoff of {self.lead_id}"

    @property
    def is_open(self) -> bool:
        return self.outcome == Outcome.OPEN

    @property
    def is_passed(self) -> bool:
        """Whether somebody else was offered the lead before, so that they wait for longer than this offer does."""
        return self.began_at != self.opened_at

    def leaves_on(self, off: Iterable[TimeOff], at: datetime, workspace: Workspace) -> date | None:
        """The day to come on which whoever it waits for goes away before it is due, or once late before it goes on by
        itself: it goes on to somebody then. `off` may hold days that are past, and days of others.
        """
        end = self.due_at if at <= self.due_at else self.reroute_at
        today, last = workspace.local(at).date(), workspace.local(end).date()
        theirs = (one.first for one in off if one.member_id == self.offered_to_id)
        return min((first for first in theirs if self.is_open and today < first <= last), default=None)


class QuestionQuerySet(models.QuerySet["Question"]):
    def open(self) -> QuestionQuerySet:
        return self.filter(answered_at=None)


class Question(TenantRow):
    """What a rep asks marketing about a lead, instead of giving it back, and what marketing answered."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lead = TenantForeignKey(Lead, models.CASCADE, related_name="questions", db_index=False)
    asked_by = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    words = models.TextField()
    asked_at = models.DateTimeField()
    answer = models.TextField(blank=True)
    answered_by = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    answered_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = scoped(QuestionQuerySet)

    class Meta:
        indexes = [
            models.Index(
                fields=["workspace", "asked_at", "id"], name="question_open", condition=Q(answered_at__isnull=True)
            ),
            models.Index(fields=["workspace", "-asked_at", "-id"], name="question_recent"),
            models.Index(fields=["workspace", "lead", "-asked_at"], name="question_lead"),
        ]

    def __str__(self) -> str:
        return self.words[:60]
