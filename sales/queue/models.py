"""What a rep has promised to do next, and how a call can end."""

from __future__ import annotations

from typing import Any, ClassVar

from django.apps import apps
from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from funnel.leads.models import Lead
from funnel.workspaces.models import Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped


class CallOutcome(models.TextChoices):
    """How a call ended, in the order of its keys on the desk."""

    SPOKE = "spoke", "Spoke"
    NO_ANSWER = "no_answer", "No answer"
    VOICEMAIL = "voicemail", "Voicemail"
    CALL_BACK = "call_back", "Call back"
    WRONG_NUMBER = "wrong_number", "Wrong number"
    NOT_INTERESTED = "not_interested", "Not interested"


class TaskQuerySet(models.QuerySet["Task"]):
    def open(self) -> TaskQuerySet:
        return self.filter(done_at=None)

    def on_desk_of(self, member: Member) -> TaskQuerySet:
        """The member's open steps with leads that are with the member or have a deal with them, the next one first."""
        # Deals stand above the desk, so it knows them by name only.
        deals = apps.get_model("sales", "Deal").objects.open().filter(lead=OuterRef("lead"), holder=member)
        mine = self.open().filter(Q(lead__holder=F("holder")) | Exists(deals), holder=member)
        return mine.select_related("lead").order_by("due_at", "id")


class Task(TenantRow):
    """A next step with a lead, due at a moment, with its reminder."""

    lead = TenantForeignKey(Lead, models.CASCADE, related_name="tasks", db_index=False)
    holder = TenantForeignKey(Member, models.CASCADE, related_name="tasks", db_index=False)
    what = models.CharField(max_length=300)
    due_at = models.DateTimeField()
    # A day without a time of day is shown as a day; it is due at that day's end.
    all_day = models.BooleanField(default=False)
    made_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = scoped(TaskQuerySet)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "holder", "due_at", "id"], name="task_due", condition=Q(done_at=None)),
            models.Index(fields=["workspace", "lead"], name="task_lead", condition=Q(done_at=None)),
        ]

    def __str__(self) -> str:
        return self.what
