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
    """The steps, ticked off by facts: a lead came in, and more than one stranger sent the form."""
    form = Form.objects.filter(is_open=True).order_by("created_at").first()
    if form is None:
        return []
    sent = list(Submission.objects.order_by("-received_at").values_list("typed", "quarantined")[:LOOKED_AT])
    came = [typed.get("email", "").strip().lower() for typed, held in sent if not held]
    held = bool(sent) and not came
    # One strange address is most likely the owner's own try under another name.
    strangers = set(came) - set(Member.objects.values_list("user__email", flat=True)) - {""}
    told = AuditEntry.objects.filter(action=SHARED).exists()
    return [
        {
            "key": "try-form",
            "title": "Try your form",
            "says": "It came, but so fast that it was held back as likely spam. Let it through to see the lead."
            if held
            else "Fill it in like a visitor, and see the lead come in.",
            "done": bool(came),
            "url": reverse("marketing:form-submissions", args=[form.pk]) if held else form.path,
            "action": "See what was held back" if held else "Open the form",
        },
        {
            "key": "share-form",
            "title": "Share it",
            "says": "Put the link on your site, in your mails, or print its QR code.",
            "done": told or len(strangers) > 1,
            "url": reverse("marketing:form", args=[form.pk]) + "#share",
            "action": "Share",
            "link": sharing.address(form),
        },
    ]
