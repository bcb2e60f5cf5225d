"""What a lead's page says of the nurture mails, and of marketing's mail at all."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q
from django.urls import reverse

from funnel.leads import known
from funnel.leads.models import Consent, Lead, Suppression
from funnel.leads.stages import Stage
from funnel.leads.suppressing import no_mail
from funnel.workspaces.asking import Asked
from funnel.workspaces.roles import may
from marketing.nurture import actions as nurture
from marketing.nurture.models import WAITS, Enrollment, EnrollmentState, Letter, Sequence, Step, Stop

LATEST = Asked(
    lambda lead: (
        Enrollment.objects.filter(lead__in=[lead])
        .annotate(had=Count("letters"), waits=Count("letters", filter=Q(letters__message__state__in=WAITS)))
        .order_by("-enrolled_at")[:1]
    ),
    UUID,
)

# Whether there are mails, whether the lead agreed to mail, and whether there is one that it has not had.
OPEN = Asked(
    lambda lead: Lead.objects.filter(pk__in=[lead]).values_list(
        Exists(Sequence.objects.filter(is_on=True)),
        Exists(Consent.objects.filter(lead=OuterRef("pk"), channel="email")),
        Exists(
            Step.objects.kept().exclude(
                Exists(Letter.objects.filter(step=OuterRef("pk"), enrollment__lead=OuterRef(OuterRef("pk"))))
            )
        ),
    ),
    UUID,
)


def none_after(lead: Lead) -> str:
    """Why a lead would get no nurture mails once sales gives it back; blank where it would: SLOTS["no_nurture"]."""
    is_on, agreed, has_more = known.of(lead, OPEN)[0]
    suppressed = no_mail(lead)
    against = (
        (not is_on, "They are switched off"),
        (suppressed and suppressed.why == Suppression.Why.BOUNCED, Stop.BOUNCED.label),
        (suppressed, Stop.UNSUBSCRIBED.label),
        (lead.stage == Stage.CUSTOMER, Stop.CUSTOMER.label),
        (not lead.email, Stop.ADDRESS.label),
        (not agreed, Stop.CONSENT.label),
        (not has_more, "They have had them all"),
    )
    return next((why for holds, why in against if holds), "")


def _undo_until(lead: Lead, suppressed: Suppression, at: datetime) -> datetime | None:
    """Until when it can be undone that one of us wanted no mail for the lead; None where it can't."""
    until = suppressed.at + nurture.UNDO_WITHIN
    told = nurture.said_for(lead) if at <= until else None
    return until if told is not None and told.recorded_at == suppressed.at else None


def lead_panel(request: Any, lead: Lead) -> dict[str, Any] | None:
    """Whether they get the mails, how many they had, and why no more: SLOTS["lead_panels"].

    Who may change the lead can stop them, and can say that they want no mail at all.
    """
    latest = next(iter(known.of(lead, LATEST)), None)
    changes = may(request.member, "campaigns.change")
    may_stop = changes or getattr(lead, "changeable", False)
    last_waits = latest is not None and latest.state == EnrollmentState.DONE and latest.waits > 0
    suppressed = no_mail(lead)
    could = changes and lead.stage in nurture.WITH_MARKETING and not (latest and latest.is_active)
    why, offers = "", False
    if could and nurture.Mails.objects.filter(is_on=True).exists():
        refused = nurture.stop_for(lead, since=None)
        why = refused.label if refused else ""
        offers = refused is None and nurture.next_step(lead, 0) is not None
    may_refuse = may_stop and bool(lead.email) and suppressed is None
    undo_until = _undo_until(lead, suppressed, request.at) if may_stop and suppressed else None
    if latest is None and not (offers or why or suppressed or may_refuse):
        return None
    context = {
        "lead": lead,
        "latest": latest,
        "had": latest.had if latest else 0,
        "last_waits": last_waits,
        "do_not_mail": suppressed,
        "may_refuse": may_refuse,
        "undo_until": undo_until,
        "stopped_with_it": bool(suppressed and latest and latest.ended_at == suppressed.at),
        "offers": offers,
        "why": why,
        "may_stop": may_stop and latest is not None and (latest.is_active or last_waits),
        "next": reverse("lead", args=[lead.pk]),
    }
    return {"side": "right", "template": "marketing/_nurture_panel.html", "context": context, "actions": []}
