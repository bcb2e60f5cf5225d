"""Home leads to the page of one's role; the owner's shows who waits, who is late, and with whom everybody is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from funnel.leads.stages import MARKETING, SALES, Stage, side_of
from funnel.outbox.models import Effect, State
from funnel.overview.entries import entries
from funnel.overview.rows import minutes_left
from funnel.people.actions import relieved_by
from funnel.people.checklist import steps
from funnel.templatetags.words import number, plural
from funnel.workspaces.models import LEADERS, Member, Role, Workspace
from funnel.workspaces.months import Period, asked, periods_at
from funnel.workspaces.roles import allow, may
from funnel.workspaces.slots import slot

HOMES = {Role.MARKETER: "marketing:home", Role.REP: "sales:desk", Role.VIEWER: "leads"}
# So many are named one by one; the page of handoffs shows all.
NAMED = 5
# So many of those who hold leads are named over the way.
HOLDERS = 8
FRESH = timedelta(days=7)


def month_of(workspace: Workspace, at: datetime) -> datetime:
    """The moment at which the workspace's month began."""
    return workspace.local(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def legs(*, at: datetime, workspace: Workspace, late: int) -> tuple[list[dict[str, Any]], int, int]:
    """The way with how many stand at each stage, for components/way.html.

    Then how many are on it, and how many of them are held by nobody active.
    """
    by_stage = dict(Lead.objects.order_by().values_list("stage").annotate(many=Count("pk")))
    held = (
        Lead.objects.filter(stage__in=SALES, holder__isnull=False)
        .order_by()
        .values_list("holder")
        .annotate(many=Count("pk"))
    )
    people = {one.pk: one for one in Member.objects.select_related("user")}
    most = sorted(held, key=lambda pair: -pair[1])
    named = [f"{people[pk].first_name} {number(many)}" for pk, many in most[:HOLDERS]]
    if others := most[HOLDERS:]:
        named.append(f"{plural(len(others), 'other')} {number(sum(many for _, many in others))}")
    left = sum(many for pk, many in most if not people[pk].active)
    won = Lead.objects.filter(customer_since__gte=month_of(workspace, at)).count()

    def stop(stage: Stage, state: str = "done") -> dict[str, Any]:
        return {"label": stage.label, "count": by_stage.get(stage, 0), "state": state}

    def together(stages: tuple[Stage, ...]) -> int:
        return sum(by_stage.get(stage, 0) for stage in stages)

    selling = [stop(stage) for stage in SALES if by_stage.get(stage) or stage == Stage.WORKING]
    selling.append({"label": "Customer, this month", "count": won, "state": "ahead"})
    ready = by_stage.get(Stage.READY, 0)
    return (
        [
            {
                "side": "marketing",
                "holder": f"Marketing {number(together(MARKETING))}",
                "stops": [stop(one) for one in MARKETING],
            },
            {
                "side": "hall",
                "holder": f"Handoff {number(ready)}",
                "note": f"{late} late" if late else "",
                "stops": [stop(Stage.READY)],
            },
            {"side": "sales", "holder": f"Sales {number(together(SALES))}", "note": ", ".join(named), "stops": selling},
        ],
        together((*MARKETING, Stage.READY, *SALES)),
        left,
    )


def needs_you(request: Any, numbers: dict[str, int], *, on_the_way: int) -> dict[str, Any]:
    """What a leader should look at: who is late, waits for them or is offered to nobody, what is stuck, came back."""
    member, at, workspace = request.member, request.at, request.workspace
    waiting = list(Handoff.objects.open().with_lead().order_by("due_at", "id")[: NAMED + 1])
    named = [(one, minutes_left(one, at=at, workspace=workspace)) for one in waiting[:NAMED]]
    back = list(
        Handoff.objects.filter(given_back_at__gte=at - FRESH)
        .select_related("lead", "reason", "closed_by__user")
        .order_by("-given_back_at", "-id")[:3]
    )
    stuck = Effect.objects.filter(state=State.STUCK).count() if may(member, "stuck") else 0
    relief = relieved_by(member, since=at - FRESH) if member.role == Role.OWNER else None
    late = [pair for pair in named if pair[1] < 0]
    no_taker = bool(on_the_way) and not Member.objects.taking_leads().exists()
    needs = [need for need in _plugged("home_needs", request) if need]
    own = list(Handoff.objects.open().filter(offered_to=member).with_lead().order_by("due_at", "id")[:NAMED])
    told = {one.pk for one, _ in late}
    yours = [(one, minutes_left(one, at=at, workspace=workspace)) for one in own if one.pk not in told]
    return {
        "yours": yours,
        "late_named": late,
        "in_time": [pair for pair in named if pair[1] >= 0],
        "more": numbers["waiting"] - len(named),
        "back": back,
        "stuck": stuck,
        "relief": relief,
        "no_taker": no_taker,
        "needs": needs,
        "things": len([*late, *yours, *back, *needs])
        + sum(map(bool, (numbers["go"], numbers["pool"], numbers["left"], stuck, relief, no_taker))),
    }


@require_safe
@allow("read")
def home(request: Any) -> HttpResponse:
    """Lead to the page of one's role."""
    member, at, workspace = request.member, request.at, request.workspace
    if member.role not in LEADERS:
        return redirect(HOMES[member.role])
    todo = [] if workspace.is_demo else steps(workspace, member, at)
    if all(step["done"] for step in todo):
        todo = []
    numbers = _numbers(at)
    way, on_the_way, numbers["left"] = legs(at=at, workspace=workspace, late=numbers["late"])
    demo = next((one for one in request.memberships if one.workspace.is_demo), None)
    context: dict[str, Any] = {
        "today": timezone.localtime(at),
        "todo": todo,
        "ticked": plural(sum(step["done"] for step in todo), "step"),
        "next_step": next((step["key"] for step in todo if not step["done"]), ""),
        "numbers": numbers,
        "legs": way,
        "on_the_way": on_the_way,
        "demo": demo if demo and demo.workspace_id != workspace.pk else None,
    }
    if todo and not Lead.objects.exists():
        return render(request, "funnel/overview/start.html", context)
    context |= needs_you(request, numbers, on_the_way=on_the_way)
    period = asked(request)
    context |= {
        "headline": next((card for card in _plugged("home_headline", request) if card), None),
        "cards": [card for card in _plugged("home_cards", request) if card],
        "promise": workspace.promise_hours * 60,
        "period": period,
        "periods": periods_at(at, workspace).values(),
        **funnel(period, workspace),
    }
    return render(request, "funnel/overview/home.html", context)


def _plugged(name: str, request: Any) -> Iterator[dict[str, Any] | None]:
    return (card(request) for card in slot(name))


def funnel(period: Period, workspace: Workspace) -> dict[str, Any]:
    """Who came to each stage in the period, what became of them, and what the open deals there are worth."""
    values: dict[str, Any] = {"stages": {}, "all": None}
    for worth in slot("stage_values"):
        values = worth(workspace)
    rows = entries(period, workspace)
    hues = {"marketing": "c", "hall": "i", "sales": "t"}
    return {
        "entries": [(one, hues[side_of(one.stage)], values["stages"].get(one.stage)) for one in rows],
        "most": max((one.entered for one in rows), default=0),
        "open": values["all"],
    }


def _numbers(at: datetime) -> dict[str, int]:
    """How many wait, how many of them are late, and how many wait for a go."""
    waiting = Handoff.objects.open()
    return {
        "waiting": waiting.count(),
        "late": waiting.filter(due_at__lt=at).count(),
        "pool": waiting.filter(offered_to=None).count(),
        "go": Lead.objects.filter(waits_since__isnull=False).count(),
    }
