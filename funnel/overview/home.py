"""Home leads to the page of one's role; the owner's shows who waits, who is late, and with whom everybody is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from funnel.handoff.clock import late_first_contacts
from funnel.handoff.models import Handoff, Outcome
from funnel.leads.models import Lead
from funnel.leads.stages import MARKETING, SALES, Stage, side_of
from funnel.outbox.models import Effect, State
from funnel.overview.entries import entries
from funnel.overview.known import Known
from funnel.overview.rows import minutes_left
from funnel.people import checklist
from funnel.people.actions import relieved
from funnel.templatetags.words import number, plural
from funnel.workspaces.models import LEADERS, Member, Role, Workspace
from funnel.workspaces.months import Period, asked, periods_at
from funnel.workspaces.roles import allow, may
from funnel.workspaces.slots import slot
from funnel.workspaces.tally import Asked, tally

HOMES = {Role.MARKETER: "marketing:home", Role.REP: "sales:desk", Role.VIEWER: "leads"}
# So many are named one by one; the page of handoffs shows all.
NAMED = 5
# So many of those who hold leads are named over the way.
HOLDERS = 8
FRESH = timedelta(days=7)
BACK = 3
WAY = (*MARKETING, Stage.READY, *SALES)


def month_of(workspace: Workspace, at: datetime) -> datetime:
    """The moment at which the workspace's month began."""
    return workspace.local(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def counted(request: Any) -> Asked:
    """What the hall's own part of the home has to know."""
    member, at, workspace = request.member, request.at, request.workspace
    open_ = Handoff.objects.open()
    found: dict[str, Any] = {
        "stages": (Lead.objects.filter(stage__in=WAY), "stage"),
        "holders": (Lead.objects.filter(stage__in=SALES, holder__isnull=False), "holder"),
        "won": (Lead.objects.filter(customer_since__gte=month_of(workspace, at)), ""),
        "go": (Lead.objects.filter(waits_since__isnull=False), ""),
        "waiting": (open_, ""),
        "late": (open_.too_long(at), ""),
        "pool": (open_.filter(offered_to=None), ""),
        "silent": (late_first_contacts(at), ""),
    }
    if may(member, "stuck"):
        found["stuck"] = (Effect.objects.filter(state=State.STUCK), "")
    if member.role == Role.OWNER and not member.takes_leads:
        found["relief"] = (relieved(member, since=at - FRESH), "actor")
    return {**found, **checklist.counted(workspace)}


def known_of(request: Any) -> Known:
    """Read what every part of the home asks: everybody by one query, and all that is counted by another."""
    asked = dict(counted(request))
    for more in slot("home_counts"):
        asked |= more(request)
    return Known({one.pk: one for one in Member.objects.select_related("user")}, tally(asked))


def legs(known: Known, numbers: dict[str, int]) -> tuple[list[dict[str, Any]], int, int]:
    """The way with how many stand at each stage, for components/way.html.

    Then how many are on it, and how many of them are held by nobody active.
    """
    by_stage = known.counts["stages"]
    held = ((known.people[UUID(pk)], many) for pk, many in known.counts["holders"].items())
    most = sorted(held, key=lambda pair: -pair[1])
    named = [f"{one.first_name} {number(many)}" for one, many in most[:HOLDERS]]
    if others := most[HOLDERS:]:
        named.append(f"{plural(len(others), 'other')} {number(sum(many for _, many in others))}")
    left = sum(many for one, many in most if not one.active)

    def stop(stage: Stage, state: str = "done") -> dict[str, Any]:
        return {"label": stage.label, "count": by_stage.get(stage, 0), "state": state}

    def together(stages: tuple[Stage, ...]) -> int:
        return sum(by_stage.get(stage, 0) for stage in stages)

    selling = [stop(stage) for stage in SALES if by_stage.get(stage) or stage == Stage.WORKING]
    selling.append({"label": "Customer, this month", "count": numbers["won"], "state": "ahead"})
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
                "note": f"{numbers['late']} late" if numbers["late"] else "",
                "stops": [stop(Stage.READY)],
            },
            {"side": "sales", "holder": f"Sales {number(together(SALES))}", "note": ", ".join(named), "stops": selling},
        ],
        together(WAY),
        left,
    )


def _handoffs(request: Any) -> tuple[list[Handoff], list[Handoff], list[Handoff]]:
    """Those that wait longest, those that wait longest for the reader, and those that came back last: by one query."""
    fresh = Q(given_back_at__gte=request.at - FRESH)
    open_ = Handoff.objects.open().order_by("due_at", "id").values("pk")
    back = Handoff.objects.filter(fresh).order_by("-given_back_at", "-id").values("pk")
    # The first condition is what finds the few among all that ever were.
    rows = Handoff.objects.filter(
        Q(outcome=Outcome.OPEN) | fresh,
        Q(pk__in=open_[:NAMED]) | Q(pk__in=open_.filter(offered_to=request.member)[:NAMED]) | Q(pk__in=back[:BACK]),
    )
    found = list(rows.select_related("lead", "reason", "offered_to__user", "closed_by__user").order_by("due_at", "id"))
    waiting = [one for one in found if one.is_open]
    own = [one for one in waiting if one.offered_to_id == request.member.pk]
    given = sorted((one for one in found if not one.is_open), key=lambda one: (one.given_back_at, one.pk), reverse=True)
    return waiting[:NAMED], own[:NAMED], given


def needs_you(request: Any, known: Known, numbers: dict[str, int], *, on_the_way: int) -> dict[str, Any]:
    """What a leader should look at: who is late, waits for them or is offered to nobody, what is stuck, came back."""
    at, workspace = request.at, request.workspace
    waiting, own, back = _handoffs(request)
    named = [(one, minutes_left(one, at=at, workspace=workspace)) for one in waiting]
    stuck = numbers.get("stuck", 0)
    relief = next((known.people[UUID(pk)] for pk in known.counts.get("relief", ())), None)
    late = [pair for pair in named if pair[1] < 0]
    no_taker = bool(on_the_way) and not any(one.is_taking for one in known.people.values())
    needs = [need for need in _plugged("home_needs", request, known) if need]
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
        + sum(map(bool, (numbers["go"], numbers["pool"], numbers["silent"], numbers["left"], stuck, relief, no_taker))),
    }


@require_safe
@allow("read")
def home(request: Any) -> HttpResponse:
    """Lead to the page of one's role."""
    member, at, workspace = request.member, request.at, request.workspace
    if member.role not in LEADERS:
        return redirect(HOMES[member.role])
    known = known_of(request)
    todo = [] if workspace.is_demo else checklist.steps(workspace, member, at, known.counts)
    if all(step["done"] for step in todo):
        todo = []
    numbers = {name: many[""] for name, many in known.counts.items() if "" in many}
    way, on_the_way, numbers["left"] = legs(known, numbers)
    demo = next((one for one in request.memberships if one.workspace.is_demo), None)
    context: dict[str, Any] = {
        "today": timezone.localtime(at),
        "todo": todo,
        "ticked": plural(sum(step["done"] for step in todo), "step"),
        "next_step": next((step["key"] for step in todo if not step["done"]), ""),
        "numbers": numbers,
        "legs": way,
        "on_the_way": on_the_way,
        "held": sum(known.counts["holders"].values()),
        "demo": demo if demo and demo.workspace_id != workspace.pk else None,
    }
    if todo and not on_the_way and not Lead.objects.exists():
        return render(request, "funnel/overview/start.html", context)
    context |= needs_you(request, known, numbers, on_the_way=on_the_way)
    period = asked(request)
    headline = next((card for card in _plugged("home_headline", request, known) if card), None)
    cards = [*_plugged("home_cards", request, known), headline and headline["below"]]
    context |= {
        "headline": headline,
        "cards": [card for card in cards if card],
        "period": period,
        "periods": periods_at(at, workspace).values(),
        **funnel(period, workspace),
    }
    return render(request, "funnel/overview/home.html", context)


def _plugged(name: str, request: Any, known: Known) -> Iterator[dict[str, Any] | None]:
    return (card(request, known) for card in slot(name))


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
