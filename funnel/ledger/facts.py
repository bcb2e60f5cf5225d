"""Facts that `check_facts` recomputes: what is booked is worth what the rates say, and a correction cancels it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import F, Q

from funnel.ledger.actions import NoRate, in_base
from funnel.ledger.models import Cost, Revenue
from funnel.workspaces.facts import Difference
from funnel.workspaces.models import Workspace

CANCELS = ("source", "currency", "what", "occurred_at")


def bookings_are_worth_their_rate(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """In the business's own currency every row has its amount at the rate of its day."""
    for model in (Revenue, Cost):
        own = model.objects.filter(currency=workspace.currency).exclude(base_amount=F("amount"))
        for pk in own.values_list("pk", flat=True)[:100]:
            yield "base amount", f"{model.__name__.lower()} {pk} is in our own currency, and its two amounts differ"
        for row in model.objects.exclude(currency=workspace.currency).iterator():
            try:
                worth = in_base(abs(row.amount), row.currency, workspace=workspace, moment=row.occurred_at)
            except NoRate:
                worth = None
            if abs(row.base_amount) != worth:
                yield "base amount", f"{model.__name__.lower()} {row.pk} isn’t worth what the rate of its day says"


def corrections_cancel(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """A correction is the exact opposite of its row, on the same day and for the same."""
    for model, more in ((Revenue, ("lead", "deal_id", "holder")), (Cost, ())):
        differs = Q(corrects__corrects__isnull=False)
        for name in ("amount", "base_amount"):
            differs |= ~Q(**{name: -F(f"corrects__{name}")})
        for name in (*CANCELS, *more):
            # Two that are both missing are the same, and SQL would say nothing of them.
            here, there = f"{name}__isnull", f"corrects__{name}__isnull"
            differs |= ~Q(**{name: F(f"corrects__{name}")}) & ~Q(**{here: True, there: True})
        for pk in model.objects.filter(corrects__isnull=False).filter(differs).values_list("pk", flat=True)[:100]:
            yield "correction", f"{model.__name__.lower()} {pk} doesn’t cancel what it corrects"
