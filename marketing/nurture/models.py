"""The business's one sequence of nurture mails, who gets them, and what was written to them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q

from funnel.leads.models import Lead
from funnel.mail.models import Message, MessageState
from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped
from marketing.nurture.words import titled


class Sequence(TenantRow):
    """The sequence of a workspace: whether it runs, and who signs its mails and gets the answers."""

    is_on = models.BooleanField(default=False)
    sender = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace"], name="sequence_once")]

    @property
    def signer(self) -> Member | None:
        """Who signs now: nobody by name once they have left."""
        return self.sender if self.sender and self.sender.active else None


class StepQuerySet(models.QuerySet["Step"]):
    def kept(self) -> StepQuerySet:
        """Those that are sent, in their order."""
        return self.filter(removed_at=None).order_by("position")


class Step(TenantRow):
    """One mail of the sequence: so many days after the one before, the first after they were enrolled."""

    sequence = TenantForeignKey(Sequence, models.CASCADE, related_name="steps", db_index=False)
    position = models.PositiveSmallIntegerField()
    days = models.PositiveSmallIntegerField()
    subject = models.CharField(max_length=150)
    text = models.TextField()
    # A mail that was taken out stays for the count of what was sent.
    removed_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = scoped(StepQuerySet)

    class Meta:
        indexes = [models.Index(fields=["workspace", "sequence", "position"], name="step_order")]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        """The subject with a stand-in for each of its fields."""
        return titled(self.subject)


# What is written and has not gone.
WAITS = (MessageState.QUEUED, MessageState.SENDING)


class EnrollmentState(models.TextChoices):
    ACTIVE = "active", "Gets them"
    DONE = "done", "Has had them all"
    STOPPED = "stopped", "Stopped"


class Stop(models.TextChoices):
    """Why somebody gets no more of the mails."""

    REPLIED = "replied", "They replied"
    ASKED = "asked", "They asked for contact"
    HANDED = "handed", "Handed over to sales"
    SALES = "sales", "With sales"
    CUSTOMER = "customer", "Became a customer"
    ENDED = "ended", "Not on their way any more"
    UNSUBSCRIBED = "unsubscribed", "They want no more mail"
    BOUNCED = "bounced", "Their address doesn’t exist"
    CONSENT = "consent", "They didn’t agree to mail"
    ADDRESS = "address", "No e-mail address"
    OFF = "off", "The sequence was switched off"
    HAND = "hand", "Stopped by hand"


class EnrollmentQuerySet(models.QuerySet["Enrollment"]):
    def going_on(self) -> EnrollmentQuerySet:
        """Those that something is still sent to: active, or their last mail is written and has not gone."""
        waits = Letter.objects.filter(enrollment=OuterRef("pk"), message__state__in=WAITS)
        return self.filter(Q(state=EnrollmentState.ACTIVE) | Q(Exists(waits), state=EnrollmentState.DONE))


class Enrollment(TenantRow):
    """One lead's time with the sequence; at most one is active per lead.

    `position` is that of the latest mail written, `digest` that of the address by which they say no more.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    lead = TenantForeignKey(Lead, models.CASCADE, related_name="enrollments", db_index=False)
    state = models.CharField(max_length=8, choices=EnrollmentState.choices, default=EnrollmentState.ACTIVE)
    why = models.CharField(max_length=12, choices=Stop.choices, blank=True)
    because = models.CharField(max_length=80, blank=True)
    by = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    position = models.PositiveSmallIntegerField(default=0)
    digest = models.CharField(max_length=64)
    enrolled_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    came_back_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = scoped(EnrollmentQuerySet)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "lead"], name="enrollment_active", condition=Q(state=EnrollmentState.ACTIVE)
            )
        ]
        indexes = [
            models.Index(fields=["workspace", "-enrolled_at", "-id"], name="enrollment_recent"),
            models.Index(fields=["workspace", "lead"], name="enrollment_lead"),
            models.Index(fields=["workspace", "digest"], name="enrollment_door"),
        ]

    @property
    def is_active(self) -> bool:
        return self.state == EnrollmentState.ACTIVE


class Letter(TenantRow):
    """One mail of the sequence to one lead, at most one per enrollment and step.

    `links` are the addresses in it in their order: a tracked link names its place here and leads nowhere else.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    enrollment = TenantForeignKey(Enrollment, models.CASCADE, related_name="letters", db_index=False)
    step = TenantForeignKey(Step, models.PROTECT, related_name="letters", db_index=False)
    position = models.PositiveSmallIntegerField()
    message = TenantForeignKey(Message, models.SET_NULL, null=True, related_name="+")
    digest = models.CharField(max_length=64)
    links = models.JSONField(default=list)
    written_at = models.DateTimeField()
    clicked_at = models.DateTimeField(null=True)
    click_told_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "enrollment", "step"], name="letter_once"),
        ]
        indexes = [
            models.Index(fields=["workspace", "step"], name="letter_step"),
            models.Index(fields=["workspace", "digest"], name="letter_address"),
        ]
