"""What a draft of the rules would change: who becomes ready, and what it would have made of the past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, Exists, IntegerField, Min, OuterRef, Q, QuerySet, Subquery, Value, When

from funnel.handoff.models import Handoff
from funnel.handoff.standing import in_ready_cells
from funnel.handoff.wayback import by_the_grid
from funnel.leads.models import Lead
from funnel.leads.stages import MARKETING, Stage
from funnel.outbox.models import Effect, Event
from funnel.scoring.models import DAY, Basis, LeadScore
from funnel.scoring.replay import acts_of, first_ready
from funnel.workspaces.models import Member, Workspace

# Of so many days customers and losses are tried out, and of the last four weeks how many come to sales in one.
BACK, WINDOW = timedelta(days=90), timedelta(days=28)
SLICE, SLICE_SQLITE = 500, 25
# So many customers, and so many losses, are named one by one.
NAMED = 100
STEPS = ("customers", "losses", "weekly")


def judged() -> QuerySet[LeadScore]:
    """The scores of everybody whose band matters: who is with marketing or between the two."""
    return LeadScore.objects.filter(lead__stage__in=[*MARKETING, Stage.READY])


def up_to_the_grid(at: datetime) -> QuerySet[LeadScore]:
    """The scores of those whom a grid makes ready: with marketing, not cooling down, and nothing else was agreed."""
    free = Q(lead__cool_until=None) | Q(lead__cool_until__lte=at)
    return LeadScore.objects.filter(free, by_the_grid("lead__"), lead__stage__in=MARKETING)


def becoming_ready(now: Basis, then: Basis, at: datetime) -> QuerySet[LeadScore]:
    """The scores on `then` of those who would be ready by it and by `now` aren't."""
    before = LeadScore.objects.filter(in_ready_cells(now, at), basis=now, lead=OuterRef("lead"))
    return up_to_the_grid(at).filter(in_ready_cells(then, at), ~Exists(before), basis=then)


def moving(now: Basis, then: Basis, at: datetime) -> QuerySet[LeadScore]:
    """The scores on `then` of those who would stand in another cell by it than by `now`."""
    before = LeadScore.objects.filter(basis=now, lead=OuterRef("lead")).annotate(band=band_of(now, at))
    same = before.filter(fit_band=OuterRef("fit_band"), band=OuterRef("band"))
    return judged().filter(basis=then).annotate(band=band_of(then, at)).filter(~Exists(same))


def band_of(basis: Basis, at: datetime) -> Case:
    """The engagement band of a row of a basis, in a query."""
    cuts = list(enumerate(basis.cuts(at), start=2))
    return Case(
        *[When(total__gte=cut, then=Value(band)) for band, cut in reversed(cuts)],
        default=Value(1),
        output_field=IntegerField(),
    )


def look_ahead(effects: list[Effect], at: datetime) -> list[Effect]:
    """Reckon a slice of what a draft would change; gives what isn't through yet."""
    effect, *left = effects
    pk = Event.objects.values_list("data", flat=True).get(pk=effect.event_id)["basis"]
    then = Basis.objects.select_related("version").filter(pk=pk, in_force=False, left_at=None).first()
    if then is None:
        return left
    now = Basis.objects.select_related("version").get(in_force=True)
    found: dict[str, Any] = then.figures or _standing(now, then, at)
    step = next((one for one in STEPS if not found[one]["through"]), None)
    if step is not None:
        workspace = Workspace.objects.get(pk=effect.workspace_id)
        _past(step, found[step], now, then, workspace, datetime.fromisoformat(found["at"]))
    found["through"] = all(found[one]["through"] for one in STEPS)
    Basis.objects.filter(pk=then.pk).update(figures=found)
    return left if found["through"] else [effect, *left]


def _standing(now: Basis, then: Basis, at: datetime) -> dict[str, Any]:
    """How many change band, are ready, become it and stop being it, at this moment."""
    blank = {"place": None, "through": False}
    over = judged().filter(basis=now, lead__stage=Stage.READY).count()
    return {
        "at": at.isoformat(),
        "people": judged().filter(basis=then).count(),
        "moved": moving(now, then, at).count(),
        # Who is handed over stays so, whatever the grid says.
        "ready": up_to_the_grid(at).filter(in_ready_cells(now, at), basis=now).count() + over,
        "over": over,
        "more": becoming_ready(now, then, at).count(),
        "fewer": becoming_ready(then, now, at).count(),
        "places": sum(Member.objects.taking_leads().values_list("weekly_leads", flat=True)),
        "customers": {**blank, "all": 0, "unknown": 0, "handed": 0, "both": 0, "days": 0.0, "named": []},
        "losses": {**blank, "all": 0, "handed": 0, "now": 0, "either": 0, "named": []},
        "weekly": {**blank, "now": 0, "then": 0},
    }


def _past(step: str, told: dict[str, Any], now: Basis, then: Basis, workspace: Workspace, at: datetime) -> None:
    """Try the next slice of leads out by both sets of rules."""
    leads = Lead.objects.order_by("pk")
    if step == "customers":
        leads = leads.filter(customer_since__gte=at - BACK, customer_since__lte=at)
    elif step == "losses":
        ends = [Stage.LOST, Stage.DISQUALIFIED]
        ended = Event.objects.filter(lead=OuterRef("pk"), kind="moved", data__to__in=ends).order_by("-occurred_at")
        leads = leads.annotate(lost_at=Subquery(ended.values("occurred_at")[:1]))
        leads = leads.filter(stage__in=ends, lost_at__gte=at - BACK)
    else:
        lately = Event.objects.filter(lead=OuterRef("pk"), occurred_at__gte=at - WINDOW)
        leads = leads.filter(Exists(lately))
    if told["place"]:
        leads = leads.filter(pk__gt=UUID(told["place"]))
    size = SLICE_SQLITE if settings.SQLITE else SLICE
    found = list(leads[:size])
    told["through"] = len(found) < size
    if not found:
        return
    told["place"] = str(found[-1].pk)
    both = (now.version.rules, then.version.rules)
    acts = acts_of([lead.pk for lead in found], both, workspace)
    moments = [(lead, *(first_ready(lead, acts.get(lead.pk, []), rules) for rules in both)) for lead in found]
    if step == "customers":
        _customers(told, moments, acts)
    elif step == "losses":
        _losses(told, moments)
    else:
        told["now"] += sum(was is not None and at - WINDOW <= was <= at for _, was, _ in moments)
        told["then"] += sum(would is not None and at - WINDOW <= would <= at for _, _, would in moments)


def _by_then(moment: datetime | None, end: datetime | None) -> datetime | None:
    """A moment at which somebody would have been ready; None where it came after the `end`."""
    return None if moment is not None and end is not None and moment > end else moment


def _losses(told: dict[str, Any], moments: Sequence[tuple[Any, datetime | None, datetime | None]]) -> None:
    """Which of those who were lost had been ready before, by either set of rules."""
    told["all"] += len(moments)
    for lead, *both in moments:
        was, would = (_by_then(moment, lead.lost_at) for moment in both)
        told["now"] += was is not None
        told["handed"] += would is not None
        if was is None and would is None:
            continue
        told["either"] += 1
        if len(told["named"]) < NAMED:
            told["named"].append(_named(lead, lost=lead.lost_at, was=was, would=would))


def _named(lead: Lead, **moments: datetime | None) -> dict[str, Any]:
    """A lead by name with moments of it, as they are kept."""
    kept = {name: moment.isoformat() if moment else "" for name, moment in moments.items()}
    return {"lead": str(lead.pk), "name": str(lead), **kept}


def _customers(
    told: dict[str, Any], moments: Sequence[tuple[Lead, datetime | None, datetime | None]], acts: Mapping[UUID, Any]
) -> None:
    """When those who bought were handed over, and when they would have been.

    Of who came as a customer, by a list or by hand, nothing is known from before that rules could have counted.
    """
    opened = Handoff.objects.filter(lead__in=[lead.pk for lead, _, _ in moments]).order_by()
    first = dict(opened.values_list("lead").annotate(first=Min("opened_at")))
    for lead, _, would in moments:
        # Who asks again as a customer is handed over once more; that isn't how they became one.
        was = _by_then(first.get(lead.pk), lead.customer_since) or _by_then(lead.ready_at, lead.customer_since)
        would = _by_then(would, lead.customer_since)
        told["all"] += 1
        if was is None and would is None and not acts.get(lead.pk):
            told["unknown"] = told.get("unknown", 0) + 1
        told["handed"] += would is not None
        days = None
        if was is not None and would is not None:
            days = (was - would) / DAY
            told["both"] += 1
            told["days"] += days
        if len(told["named"]) < NAMED:
            told["named"].append(
                {**_named(lead, was=was, would=would), "days": None if days is None else round(days, 1)}
            )
