"""Forms, and what was sent in through them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse

from funnel.outbox.models import Event
from funnel.workspaces.ids import uuid7
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped
from marketing.campaigns.models import Campaign

# What of an answer says who it is from.
LEAD_FIELDS = ("name", "email", "phone", "company")


class Form(TenantRow):
    """A hosted form. `token` is its public address; `fields` are the questions in order.

    A question is {"name": lead field or "fields.NAME", "label", "required": bool}; "interests" are offered as a choice.
    """

    class Purpose(models.TextChoices):
        CONTACT = "contact", "Contact"
        QUOTE = "quote", "Quote"
        DEMO = "demo", "Demo"
        CONTENT = "content", "Guide or newsletter"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    token = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    title = models.CharField(max_length=160)
    intro = models.TextField(blank=True, max_length=1000)
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.CONTACT)
    campaign = TenantForeignKey(Campaign, models.SET_NULL, null=True, blank=True, related_name="forms")
    fields = models.JSONField(default=list)
    interests = models.JSONField(default=list, blank=True)
    consent_text = models.TextField(blank=True, max_length=1000)
    button = models.CharField(max_length=60, default="Send")
    thanks = models.TextField(max_length=1000, default="Thank you. We will be in touch.")
    at_once = models.BooleanField(default=True)
    origins = models.JSONField(default=list, blank=True)
    # What whoever has sent it may fetch: the file's own name, and the name under which it lies.
    file_name = models.CharField(max_length=120, blank=True)
    file_key = models.UUIDField(null=True)
    is_open = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["workspace", "-created_at"], name="form_recent")]

    def __str__(self) -> str:
        return self.name

    @property
    def questions(self) -> list[dict[str, Any]]:
        """The questions in order; what they are interested in comes last unless it was given a place."""
        rows = [row for row in self.fields if row["name"] != "interest" or self.interests]
        if self.interests and all(row["name"] != "interest" for row in rows):
            rows.append({"name": "interest", "label": "What are you interested in?", "required": False})
        return rows

    @property
    def path(self) -> str:
        """Where visitors find it."""
        return reverse("public-form", args=[self.token])


class SubmissionQuerySet(models.QuerySet["Submission"]):
    def held(self) -> SubmissionQuerySet:
        """Those that wait for a person: likely spam, and what the worker could make no lead of."""
        return self.filter(quarantined=True)


class Submission(TenantRow):
    """A form's POST as typed. `flags` say why it waits in quarantine; a button releases it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    form = TenantForeignKey(Form, models.CASCADE, related_name="submissions", db_index=False)
    typed = models.JSONField()
    # Where it came from: origin, referrer, utm names, the consent text shown.
    origin = models.JSONField(default=dict)
    flags = models.JSONField(default=list)
    quarantined = models.BooleanField(default=False)
    # Why the worker could not make a lead of it, a sentence per field; it waits beside the quarantined.
    refused = models.JSONField(default=dict)
    event = TenantForeignKey(Event, models.SET_NULL, null=True, related_name="+", db_index=False)
    received_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = scoped(SubmissionQuerySet)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "form", "-received_at"], name="submission_recent"),
            # The worker looks for what came with these events.
            models.Index(fields=["workspace", "event"], name="submission_event"),
            models.Index(fields=["workspace", "-received_at"], name="submission_held", condition=Q(quarantined=True)),
        ]
