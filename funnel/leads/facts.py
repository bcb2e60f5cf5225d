"""Facts that `check_facts` recomputes: a lead first came to a stage when its timeline says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Exists, F, Min, OuterRef, Q

from funnel.leads.models import Lead
from funnel.leads.stages import ARRIVALS
from funnel.outbox.models import Event
from funnel.workspaces.facts import Difference
from funnel.workspaces.models import Workspace


def arrivals_follow_moves(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """The first move of each lead to each stage is the one that its row keeps."""
    for stage, column in ARRIVALS.items():
        moves = Event.objects.in_force().filter(kind="moved", data__to=stage)
        kept = f"lead__{column}"
        wrong = (
            moves.order_by()
            .values("lead", kept)
            .annotate(first=Min("occurred_at"))
            .filter(Q(**{kept: None}) | ~Q(first=F(kept)))
        )
        for pk in wrong.values_list("lead", flat=True)[:100]:
            yield "arrival at a stage", f"lead {pk} came to {stage} first at another moment than its row says"
        made_up = Lead.objects.filter(~Exists(moves.filter(lead=OuterRef("pk"))), **{f"{column}__isnull": False})
        for pk in made_up.values_list("pk", flat=True)[:100]:
            yield "arrival at a stage", f"lead {pk} never moved to {stage}, and its row says when"
