"""What a rep has promised to do next."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from funnel.leads.models import Lead
from funnel.workspaces.models import Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped


class TaskQuerySet(models.QuerySet["Task"]):
    def open(self) -> TaskQuerySet:
        return self.filter(done_at=None)


class Task(TenantRow):
    """A next step with a lead, due at a moment, with its reminder."""

    lead = TenantForeignKey(Lead, models.CASCADE, related_name="tasks", db_index=False)
    holder = TenantForeignKey(Member, models.CASCADE, related_name="tasks", db_index=False)
    what = models.CharField(max_length=300)
    due_at = models.DateTimeField()
    # A day without a time of day is shown as a day.
    all_day = models.BooleanField(default=False)
    made_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    objects = scoped(TaskQuerySet)

    class Meta:
        indexes = [
            models.Index(
                fields=["workspace", "holder", "due_at", "id"], name="task_due", condition=Q(done_at=None)
            ),
            models.Index(fields=["workspace", "lead"], name="task_lead", condition=Q(done_at=None)),
        ]

    def __str__(self) -> str:
        return self.what
