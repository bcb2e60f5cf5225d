"""A mail of the sequence before it goes to anybody: as a lead would read it, on the page or as a test to oneself."""

from __future__ import annotations

from datetime import datetime
from itertools import chain
from typing import Any

from funnel.leads.models import Consent, Lead
from funnel.leads.suppressing import agreed_to_mail, suppression_of
from funnel.mail import actions as mail
from funnel.mail.models import Message
from funnel.mail.sending import text_of
from funnel.workspaces.models import Member, Workspace
from marketing.nurture.models import Enrollment, Step
from marketing.nurture.words import filled, pieces, values_for

KIND = "nurture-test"
# They stand where there is no lead yet, and say so themselves.
NAME, COMPANY = "Firstname Lastname", "Company"
# So many are looked at, to find one who may be mailed.
LOOKED_AT = 10


def reader() -> Lead | None:
    """The lead that the mails are shown with: of those who may be mailed who got them, else agreed to mail, latest."""
    got = Enrollment.objects.select_related("lead").order_by("-enrolled_at", "-id")[:LOOKED_AT]
    agreed = Consent.objects.filter(channel="email").select_related("lead").order_by("-id")[:LOOKED_AT]
    leads = (one.lead for one in chain(got, agreed))
    return next((lead for lead in leads if _may_be_mailed(lead)), None)


def _may_be_mailed(lead: Lead) -> bool:
    return bool(lead.email) and agreed_to_mail(lead) and suppression_of(lead.workspace_id, lead.email) is None


def _context(step: Step, lead: Lead | None, *, workspace: Workspace, signer: Member | None) -> dict[str, Any]:
    values = values_for(lead or Lead(name=NAME, company_name=COMPANY), workspace=workspace, sender=signer)
    return {
        "dear": values["first_name"],
        "subject": filled(step.subject, values),
        "pieces": pieces(step.text, values),
    }


def shown(step: Step, lead: Lead | None, *, workspace: Workspace, signer: Member | None) -> dict[str, str]:
    """The subject and the text of a mail as this lead would read it, or as one with stand-ins for a name would."""
    context = _context(step, lead, workspace=workspace, signer=signer)
    message = Message(
        workspace=workspace, kind=KIND, lead=lead, sender=signer, subject=context["subject"], context=context
    )
    return {"subject": message.subject, "text": text_of(message, workspace)}


def send(step: Step, lead: Lead | None, *, to: Member, signer: Member | None, at: datetime) -> None:
    """Mail it to one of us, marked as a test; it counts nowhere, and nothing in it unsubscribes anybody."""
    context = _context(step, lead, workspace=to.workspace, signer=signer)
    mail.queue(KIND, to=to, by=signer, event=None, at=at, context=context, lead_id=lead.pk if lead else None)
