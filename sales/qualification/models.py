"""What is asked before a lead counts as qualified, and what each lead answered."""

from __future__ import annotations

from django.db import models

from funnel.leads.models import Lead
from funnel.workspaces.models import Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow


class Question(TenantRow):
    """One question of the business's framework.

    `hears` says where its answer may have been given already: names in an event's data, words in the names of the
    lead's own fields and their kinds, and words that a message or a call's note holds.
    """

    framework = models.CharField(max_length=20)
    key = models.SlugField(max_length=40)
    label = models.CharField(max_length=60)
    ask = models.CharField(max_length=300)
    required = models.BooleanField(default=True)
    hears = models.JSONField(default=dict)
    position = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "key"], name="question_once")]
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.label


class Met(models.TextChoices):
    UNKNOWN = "unknown", "Not known"
    MET = "met", "Met"
    NOT_MET = "not_met", "Not met"


class Answer(TenantRow):
    """What one lead said to one question; `origin` names where the words are from when nobody typed them anew."""

    lead = TenantForeignKey(Lead, models.CASCADE, related_name="answers", db_index=False)
    question = TenantForeignKey(Question, models.CASCADE, related_name="answers", db_index=False)
    met = models.CharField(max_length=7, choices=Met.choices, default=Met.UNKNOWN)
    note = models.CharField(max_length=1000, blank=True)
    origin = models.CharField(max_length=200, blank=True)
    by = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "lead", "question"], name="answer_to_question")]

    def __str__(self) -> str:
        return f"{self.get_met_display()}: {self.note}"
