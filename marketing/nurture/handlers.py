"""What the worker does with the nurture mails. Each takes one workspace's batch."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from funnel.leads.models import Lead
from funnel.outbox.actions import record
from funnel.outbox.models import Effect, Event
from marketing.nurture import actions as nurture
from marketing.nurture.models import Enrollment, EnrollmentState


def _events(effects: list[Effect]) -> list[Event]:
    return list(Event.objects.filter(pk__in=[one.event_id for one in effects]).order_by("lead_id", "id"))


def enroll(effects: list[Effect], at: datetime) -> None:
    """Enroll who was given back for a reason that says so; who can't be is told on the lead, with why."""
    asked = {event.lead_id: event for event in _events(effects) if event.lead_id and event.data.get("nurtures")}
    for lead in Lead.objects.filter(pk__in=list(asked)).order_by("pk"):
        event = asked[lead.pk]
        try:
            nurture.enroll(lead, at=at, because=event.data["reason"])
        except nurture.NoMails as refusal:
            says = {"why": refusal.sentence}
            record(lead.workspace_id, "nurture_left_out", at=at, lead_id=lead.pk, data=says)


def write_next(effects: list[Effect], at: datetime) -> None:
    """Write the mails that are due."""
    for event in _events(effects):
        found = Enrollment.objects.filter(pk=UUID(event.data["enrollment"]), state=EnrollmentState.ACTIVE).first()
        if found is not None:
            nurture.write_next(found, event, at=at)


def replied(effects: list[Effect], at: datetime) -> None:
    """An integration says that somebody answered a mail: it stops for them."""
    leads = Lead.objects.locked({event.lead_id for event in _events(effects) if event.lead_id})
    for one in Enrollment.objects.filter(lead__in=leads).going_on().order_by("pk"):
        if (why := nurture.stop_for(leads[one.lead_id], since=one.enrolled_at)) is not None:
            nurture.stop(one, why, at=at)
