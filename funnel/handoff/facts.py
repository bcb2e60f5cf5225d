"""Facts that `check_facts` recomputes: who holds a lead, and which handoff is open, follows from its stage."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, Q

from funnel.handoff.models import Handoff, Outcome
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.workspaces.facts import Difference
from funnel.workspaces.models import Workspace


def holders_follow_stages(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """With sales somebody holds it, a customer may have a rep, elsewhere nobody does."""
    wrong = Lead.objects.filter(
        Q(stage__in=SALES, holder=None) | (~Q(stage__in=[*SALES, Stage.CUSTOMER]) & Q(holder__isnull=False))
    )
    for pk, stage in wrong.values_list("pk", "stage")[:100]:
        yield "holder by stage", f"lead {pk} is {stage}, and its holder doesn’t fit that"


def handoffs_follow_stages(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """Exactly one open handoff where a lead is ready, at most one for a customer, none elsewhere."""
    rows = Lead.objects.annotate(waiting=Count("handoffs", filter=Q(handoffs__outcome=Outcome.OPEN)))
    wrong = rows.filter(
        (Q(stage=Stage.READY) & ~Q(waiting=1))
        | (Q(stage=Stage.CUSTOMER) & Q(waiting__gt=1))
        | (~Q(stage__in=[Stage.READY, Stage.CUSTOMER]) & Q(waiting__gt=0))
    )
    for pk, stage, waiting in wrong.values_list("pk", "stage", "waiting")[:100]:
        yield "open handoff by stage", f"lead {pk} is {stage} with {waiting} open handoffs"


def outcomes_are_whole(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """A closed handoff says when it was closed; one given back says why."""
    wrong = Handoff.objects.filter(
        (~Q(outcome=Outcome.OPEN) & Q(closed_at=None))
        | Q(outcome=Outcome.OPEN, closed_at__isnull=False)
        | Q(given_back_at__isnull=False, reason=None)
    )
    for pk, outcome in wrong.values_list("pk", "outcome")[:100]:
        yield "handoff outcome", f"handoff {pk} is “{outcome or 'open'}” but its closing doesn’t fit that"
