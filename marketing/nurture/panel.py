"""What a lead's page says of the nurture mails."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count
from django.urls import reverse

from funnel.leads import known
from funnel.leads.models import Lead
from funnel.leads.suppressing import suppression_of
from funnel.workspaces.asking import Asked
from funnel.workspaces.roles import may
from marketing.nurture import actions as nurture
from marketing.nurture.models import Enrollment

LATEST = Asked(
    lambda lead: Enrollment.objects.filter(lead__in=[lead]).annotate(had=Count("letters")).order_by("-enrolled_at")[:1],
    UUID,
)


def lead_panel(request: Any, lead: Lead) -> dict[str, Any] | None:
    """Whether they get the mails, how many they had, and why no more: SLOTS["lead_panels"]."""
    latest = next(iter(known.of(lead, LATEST)), None)
    changes = may(request.member, "campaigns.change")
    could = changes and lead.stage in nurture.WITH_MARKETING and not (latest and latest.is_active)
    why, offers = "", False
    if could and nurture.Mails.objects.filter(is_on=True).exists():
        refused = nurture.stop_for(lead, since=None)
        why = refused.label if refused else ""
        offers = refused is None and nurture.next_step(lead, 0) is not None
    if latest is None and not offers and not why:
        return None
    context = {
        "lead": lead,
        "latest": latest,
        "had": latest.had if latest else 0,
        "do_not_mail": suppression_of(lead.workspace_id, lead.email) if latest else None,
        "offers": offers,
        "why": why,
        "may_stop": latest is not None and latest.is_active and (changes or getattr(lead, "changeable", False)),
        "next": reverse("lead", args=[lead.pk]),
    }
    return {"side": "right", "template": "marketing/_nurture_panel.html", "context": context, "actions": []}
