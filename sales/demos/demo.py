"""What demos add to the demo business: booking pages, and visits that stand in the calendar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from funnel.leads.models import Lead
from funnel.workspaces.models import Member, Workspace
from sales.demos import actions as demos
from sales.demos import booking

VISIT: dict[str, Any] = {
    "title": "Site visit",
    "intro": "We look at roof, loft and meter together, and you get a fixed price in writing within 3 working days.",
    "minutes": 60,
    "place": "At your roof",
    "before": "Have your latest electricity bill at hand, and the way into the loft free.",
    "gap_minutes": 30,
}


def verbs(workspace: Workspace) -> dict[str, Callable[..., Any]]:
    """The verbs by the names that the scene uses."""
    return {"booking_page": booking_page, "demo": demo}


def booking_page(rep: Member, *, at: datetime) -> None:
    """Open a rep's page for site visits."""
    booking.change_page(booking.page_of(rep, at=at), VISIT, by=rep, at=at)


def demo(lead: Lead, what: str, *, starts_at: datetime, by: Member, at: datetime) -> None:
    """Book an hour at the lead's roof, unless the rep is elsewhere by then; a visit of this morning has been held."""
    ends_at = starts_at + timedelta(hours=1)
    if demos.Demo.objects.clashing(by, starts_at, ends_at).exists():
        return
    made = demos.book(
        lead, holder=by, starts_at=starts_at, ends_at=ends_at, by=by, at=at, title=what, place=VISIT["place"], past=True
    )  # fmt: skip
    if ends_at <= at:
        demos.held(made, by=by, at=at)
