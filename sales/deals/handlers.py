"""What becomes of deals after an event of the hall."""

from __future__ import annotations

from datetime import datetime

from funnel.leads.models import Lead
from funnel.outbox.models import Effect, Event
from sales.deals.models import Deal


def follow(effects: list[Effect], at: datetime) -> None:
    """A lead went to a colleague: its open deals that were the former holder's go with it."""
    events = Event.objects.filter(pk__in=[one.event_id for one in effects]).order_by("id")
    for event in events:
        holder = Lead.objects.filter(pk=event.lead_id, holder__isnull=False).values_list("holder", flat=True).first()
        was = event.data.get("was")
        if holder is not None and was:
            Deal.objects.open().filter(lead=event.lead_id, holder=was).update(holder=holder, updated_at=at)
