"""Who stands over the line by the rules in force, whatever they do: judged when a version is published."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import Q

from funnel.handoff.wayback import by_the_grid
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.outbox.actions import record_all
from funnel.outbox.models import Effect, Event
from funnel.scoring.models import Basis, LeadScore
from funnel.workspaces.inserting import row_of

SLICE, SLICE_SQLITE = 2000, 50


def in_ready_cells(basis: Basis, at: datetime) -> Q:
    """The rows of a basis that stand in a ready cell of its grid at a moment, as a filter of LeadScore."""
    cuts, found = [float("-inf"), *basis.cuts(at), float("inf")], Q(pk__in=[])
    for fit, bands in basis.version.rules["ready"].items():
        for band in bands:
            cell = Q(fit_band=fit)
            if band > 1:
                cell &= Q(total__gte=cuts[band - 1])
            if band < len(cuts) - 1:
                cell &= Q(total__lt=cuts[band])
            found |= cell
    return found


def judge_all(effects: list[Effect], at: datetime) -> list[Effect]:
    """Let who is over the line wait for a go, and who isn't any more wait no longer; gives what isn't through yet.

    Nobody is handed over by it, and no open handoff is withdrawn.
    """
    basis = Basis.objects.select_related("version").get(in_force=True)
    size = SLICE_SQLITE if settings.SQLITE else SLICE
    ready = LeadScore.objects.filter(in_ready_cells(basis, at), basis=basis)
    rest = Q(lead__cool_until=None) | Q(lead__cool_until__lte=at)
    waits = list(
        ready.filter(rest, by_the_grid("lead__"), lead__stage__in=[Stage.NEW, Stage.NURTURING], lead__waits_since=None)
        .order_by("lead_id")
        .values_list("lead_id", flat=True)[:size]
    )
    ended = list(
        LeadScore.objects.filter(by_the_grid("lead__"), basis=basis, lead__waits_since__isnull=False)
        .exclude(in_ready_cells(basis, at))
        .order_by("lead_id")
        .values_list("lead_id", flat=True)[:size]
    )
    leads = Lead.objects.locked([*waits, *ended])
    waits = [pk for pk in waits if leads[pk].stage in (Stage.NEW, Stage.NURTURING) and not leads[pk].waits_since]
    Lead.objects.filter(pk__in=waits, stage=Stage.NEW).move(Stage.NURTURING, at=at, because="ready, waits for a go")
    Lead.objects.filter(pk__in=waits).update(waits_since=at)
    Lead.objects.filter(pk__in=ended).update(waits_since=None)
    told = [(pk, "waits_for_go") for pk in waits] + [(pk, "not_ready") for pk in ended]
    workspace_id = effects[0].workspace_id
    record_all(
        [
            row_of(Event, workspace_id=workspace_id, lead_id=pk, kind=kind, occurred_at=at, recorded_at=at)
            for pk, kind in told
        ]
    )
    return effects if told else []
