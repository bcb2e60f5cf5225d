"""Every message that leaves, or would."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from funnel.leads.models import Lead
from funnel.outbox.models import Event
from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow


class MessageState(models.TextChoices):
    QUEUED = "queued", "Waits"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    FAILED = "failed", "Not sent"
    UNKNOWN = "unknown", "In doubt"


class Message(TenantRow):
    """One mail to one person. `kind` and `context` say what it is; links that let somebody in are made when it goes.

    To a member there is `member`; to a lead only `lead`, and `sender` is who of us writes and gets the answer.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event = TenantForeignKey(Event, models.SET_NULL, null=True, related_name="+", db_index=False)
    lead = TenantForeignKey(Lead, models.CASCADE, null=True, related_name="messages")
    member = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    sender = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    to_email = models.EmailField(max_length=254)
    kind = models.CharField(max_length=30)
    subject = models.CharField(max_length=200)
    context = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=MessageState.choices, default=MessageState.QUEUED)
    error = models.CharField(max_length=300, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # At most one mail per event and person, whatever runs twice.
            models.UniqueConstraint(fields=["workspace", "event", "kind", "to_email"], name="message_once")
        ]
        indexes = [models.Index(fields=["workspace", "-created_at", "-id"], name="message_recent")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def is_outside(self) -> bool:
        """To a lead, or what a member is to see as leads do: in the business's own name and look."""
        return self.kind in settings.MAIL_BULK or (self.lead_id is not None and self.member_id is None)


class MailServer(TenantRow):
    """A business's own mail server, typed by its owner; the password is sealed (see servers.py)."""

    class Security(models.TextChoices):
        STARTTLS = "starttls", "STARTTLS, usually port 587"
        TLS = "tls", "TLS, usually port 465"
        NONE = "none", "None: only within one’s own network"

    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField()
    security = models.CharField(max_length=8, choices=Security.choices, default=Security.STARTTLS)
    user = models.CharField(max_length=254, blank=True)
    sealed_password = models.TextField(blank=True)
    sender = models.CharField(max_length=254)
    set_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace"], name="mailserver_once")]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
