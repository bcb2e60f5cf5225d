"""Facts that `check_facts` recomputes: leads came to their stages when their timelines say, and are found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Exists, Min, OuterRef
from django.db.models.fields.json import KT

from funnel.leads import finding
from funnel.leads.models import Lead, SearchText
from funnel.leads.stages import ARRIVALS
from funnel.outbox.models import Event
from funnel.workspaces.facts import Difference
from funnel.workspaces.models import Workspace


def arrivals_follow_moves(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """The first move of each lead to each stage is the one that its row keeps."""
    moves = Event.objects.in_force().filter(kind="moved", data__to__in=list(ARRIVALS)).order_by()
    # Asked once for all of them: lead by lead, a database may read every move of the business again.
    found = moves.values_list("lead", KT("data__to")).annotate(first=Min("occurred_at"))
    firsts = {(lead, to): first for lead, to, first in found.iterator(chunk_size=5000)}
    for lead, *kept in Lead.objects.values_list("pk", *ARRIVALS.values()).iterator(chunk_size=5000):
        for stage, moment in zip(ARRIVALS, kept, strict=True):
            first = firsts.get((lead, stage))
            if first is None and moment is not None:
                yield "arrival at a stage", f"lead {lead} never moved to {stage}, and its row says when"
            elif first != moment:
                yield "arrival at a stage", f"lead {lead} came to {stage} first at another moment than its row says"


def leads_are_found(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """What each lead is found by stands under the index, and the latest leads are found by all of it."""
    same = SearchText.objects.filter(lead=OuterRef("pk"), text=OuterRef("search"))
    for pk in Lead.objects.filter(~Exists(same)).values_list("pk", flat=True)[:100]:
        yield "search", f"lead {pk} is not found by what its row says"
    for pk, text in Lead.objects.order_by("-received_at", "-id").values_list("pk", "search")[:100]:
        found = finding.leads_with([text], workspace.pk)
        if found is not None and pk not in found:
            yield "search", f"the index does not find lead {pk}"
