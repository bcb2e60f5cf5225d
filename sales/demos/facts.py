"""Facts that `check_facts` recomputes: nobody is in two demos at once, and who has one works here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Exists, F, OuterRef

from funnel.workspaces.facts import Difference
from funnel.workspaces.models import Workspace
from sales.demos.models import TAKES_TIME, Demo


def demos_do_not_overlap(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """Two demos of one rep that take time share none of it; half-open, so one may begin as another ends."""
    takes_time = Demo.objects.filter(state__in=TAKES_TIME)
    other = takes_time.filter(
        holder=OuterRef("holder"), starts_at__lt=OuterRef("ends_at"), ends_at__gt=OuterRef("starts_at")
    ).exclude(pk=OuterRef("pk"))
    for pk, starts_at in takes_time.filter(Exists(other)).values_list("pk", "starts_at")[:100]:
        yield "demos overlap", f"demo {pk} at {starts_at.isoformat()} shares its time with another of the same rep"
    for pk in Demo.objects.filter(ends_at__lte=F("starts_at")).values_list("pk", flat=True)[:100]:
        yield "demos overlap", f"demo {pk} ends before it begins"
