"""Two steps of the checklist after sign-up: try your form, and share it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Lower, Trim
from django.urls import reverse

from funnel.workspaces.models import AuditEntry, Member, Workspace
from marketing.capture import sharing
from marketing.capture.models import Form, Submission
from marketing.capture.views import SHARED

LOOKED_AT = 20


def steps(workspace: Workspace, member: Member, at: datetime) -> list[dict[str, Any]]:
    """The steps, ticked off by facts: a lead came in, and more than one stranger sent the form."""
    latest = Submission.objects.filter(pk__in=Submission.objects.order_by("-pk").values("pk")[:LOOKED_AT])
    came = latest.filter(quarantined=False)
    addresses = came.annotate(address=Lower(Trim(KT("typed__email")))).exclude(address="")
    strangers = addresses.exclude(address__in=Member.objects.values("user__email")).order_by().values("workspace")
    form = (
        Form.objects.filter(is_open=True)
        .annotate(
            sent=Exists(latest),
            came=Exists(came),
            strangers=Subquery(strangers.annotate(many=Count("address", distinct=True)).values("many")),
            shared=Exists(AuditEntry.objects.filter(action=SHARED)),
        )
        .order_by("created_at")
        .first()
    )
    if form is None:
        return []
    held = form.sent and not form.came
    says = "Put the link on your site, in your mails, or print its QR code."
    # One strange address is most likely the owner's own try under another name.
    if strange := form.strangers if (form.strangers or 0) > 1 else 0:
        says = f"It came from {strange} addresses that are none of yours, so others have it."
    if form.shared:
        says = "One of you said that it is shared."
    return [
        {
            "key": "try-form",
            "title": "Try your form",
            "says": "It came, but so fast that it was held back as likely spam. Let it through to see the lead."
            if held
            else "Fill it in like a visitor, and see the lead come in.",
            "done": form.came,
            "url": reverse("marketing:form-submissions", args=[form.pk]) if held else form.path,
            "action": "See what was held back" if held else "Open the form",
        },
        {
            "key": "share-form",
            "title": "Share it",
            "says": says,
            "done": form.shared or bool(strange),
            "url": reverse("marketing:form", args=[form.pk]) + "#share",
            "action": "Share",
            "link": sharing.address(form),
        },
    ]
