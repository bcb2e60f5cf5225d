"""Two steps of the checklist after sign-up: try your form, and share it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from funnel.workspaces.models import AuditEntry, Member, Workspace
from marketing.capture import sharing
from marketing.capture.models import Form, Submission
from marketing.capture.views import SHARED

LOOKED_AT = 20


def steps(workspace: Workspace, member: Member, at: datetime) -> list[dict[str, Any]]:
    """The steps, ticked off by facts: something was sent in, and somebody from elsewhere sent it."""
    form = Form.objects.filter(is_open=True).order_by("created_at").first()
    if form is None:
        return []
    sent = list(Submission.objects.order_by("-received_at").values_list("typed", flat=True)[:LOOKED_AT])
    ours = set(Member.objects.values_list("user__email", flat=True))
    from_elsewhere = any(one.get("email", "").strip().lower() not in ours for one in sent if one.get("email"))
    told = AuditEntry.objects.filter(action=SHARED).exists()
    return [
        {
            "key": "try-form",
            "title": "Try your form",
            "says": "Fill it in like a visitor, and see the lead come in.",
            "done": bool(sent),
            "url": form.path,
            "action": "Open the form",
        },
        {
            "key": "share-form",
            "title": "Share it",
            "says": "Put the link on your site, in your mails, or print its QR code.",
            "done": told or from_elsewhere,
            "url": reverse("marketing:form", args=[form.pk]) + "#share",
            "action": "Share",
            "link": sharing.address(form),
        },
    ]
