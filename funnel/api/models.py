"""What the REST plumbing keeps: answers given under an Idempotency-Key."""

from __future__ import annotations

from django.db import models

from funnel.workspaces.models import ApiKey
from funnel.workspaces.scoping import TenantForeignKey, TenantRow


class KeptAnswer(TenantRow):
    """The answer to one POST, kept for a day so that a repeated request gets it again."""

    api_key = TenantForeignKey(ApiKey, models.CASCADE, related_name="+", db_index=False)
    route = models.CharField(max_length=200)
    idempotency_key = models.CharField(max_length=255)
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = models.JSONField(null=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "api_key", "route", "idempotency_key"], name="answer_once")
        ]
