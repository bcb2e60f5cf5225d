"""What waits to be taken, what waits for a go, and what sales gave back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.card import WhyNow, touches_of
from funnel.handoff.clock import LATELY, Clock, late_first_contacts
from funnel.handoff.models import Handoff, Outcome
from funnel.handoff.wayback import whereabouts
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.overview.listing import COUNTED
from funnel.overview.paging import beyond, cursor, read
from funnel.overview.ranking import Choice, ranked
from funnel.overview.rows import (
    UNKNOWN,
    Grade,
    basis_in_force,
    channel_words,
    grades_of,
    minutes_left,
    minutes_until,
)
from funnel.templatetags.words import duration, lateness, plural
from funnel.workspaces.models import SELLERS, Member, Workspace
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow, may

WAITING, GOING, GIVEN, SILENT = 50, 50, 20, 20


@dataclass(slots=True)
class Wait:
    """An open handoff with its clock; `others` are those to whom it could be given instead."""

    handoff: Handoff
    grade: Grade | tuple[None, None]
    left: float
    others: list[Member]
    mine: bool
    # Since when the lead waits too long, where whoever has it now has time left.
    too_long_since: datetime | None

    @property
    def late(self) -> bool:
        return self.left < 0

    @property
    def says(self) -> str:
        return lateness(self.left).capitalize() if self.late else f"{duration(self.left)} left"


@dataclass(slots=True)
class Given:
    """A handoff that sales gave back, and where the lead is now."""

    handoff: Handoff
    who: str
    taken_before: bool
    now: str
    came_by: str


def sellers() -> list[Member]:
    """Everybody to whom a handoff can be given by hand, those who take leads first."""
    found = Member.objects.active().filter(role__in=SELLERS).select_related("user")
    return list(found.order_by("-takes_leads", "joined_at"))


def waits(
    member: Member, people: list[Member], *, at: datetime, workspace: Workspace, place: list[Any] | None = None
) -> tuple[list[Wait], str]:
    """The open handoffs by the clock, and the cursor of the next or a blank."""
    found = Handoff.objects.open().with_lead().with_promise().order_by("due_at", "id")
    if place is not None:
        found = found.filter(beyond("due_at", "id", place, falling=False))
    listed = list(found[: WAITING + 1])
    grades = grades_of([one.lead_id for one in listed], at=at) if listed else {}
    rows = [
        Wait(
            one,
            grades.get(one.lead_id, UNKNOWN),
            minutes_left(one, at=at, workspace=workspace),
            [person for person in people if person.pk != one.offered_to_id] if member.leads_others else [],
            one.offered_to_id == member.pk or (one.offered_to_id is None and member.role in SELLERS),
            one.promised_at if one.promised_at < at <= one.due_at else None,
        )
        for one in listed[:WAITING]
    ]
    end = listed[WAITING - 1] if len(listed) > WAITING else None
    return rows, cursor("handoffs.waits", end.due_at.isoformat(), end.pk) if end else ""


def waiting_for_go(workspace: Workspace, asked: Choice, *, at: datetime) -> list[dict[str, Any]]:
    """The next leads that are ready and wait for a go, with what speaks for each: the longest waiting first, or those
    with the best scores.
    """
    waiting = Lead.objects.filter(waits_since__isnull=False)
    if asked.order:
        leads, _ = ranked(asked, Lead.objects.all(), kind="go", at=at, within=waiting, size=GOING)
    else:
        leads = list(asked.narrowed(waiting, at).order_by("waits_since", "id")[:GOING])
    if not leads:
        return []
    grades, touches = grades_of([lead.pk for lead in leads], at=at), touches_of(leads)
    why = WhyNow(basis_in_force(), workspace, at)
    rows = []
    for lead in leads:
        fit, engagement = grades.get(lead.pk, ("D", 1))
        rows.append(
            {
                "lead": lead,
                "grade": (fit, engagement),
                "why": why.ready(lead, touches[lead.pk], fit_band=fit, engagement_band=engagement),
            }
        )
    return rows


def loads(people: list[Member]) -> list[dict[str, Any]]:
    """Whom a go would reach: how many each holds, and how many wait for them."""
    held = dict(
        Lead.objects.filter(holder__isnull=False, stage__in=SALES)
        .order_by()
        .values_list("holder")
        .annotate(many=Count("pk"))
    )
    offered = dict(Handoff.objects.open().order_by().values_list("offered_to").annotate(many=Count("pk")))
    return [
        {"name": one.name, "holds": held.get(one.pk, 0), "waits": offered.get(one.pk, 0)}
        for one in people
        if one.takes_leads
    ]


def given_back(at: datetime, place: list[Any] | None = None) -> tuple[list[Given], str]:
    """What was given back lately, latest first, and the cursor of the next or a blank."""
    found = (
        Handoff.objects.filter(given_back_at__gte=at - LATELY)
        .select_related("lead__source", "lead__holder__user", "reason", "closed_by__user")
        .order_by("-given_back_at", "-id")
    )
    if place is not None:
        found = found.filter(beyond("given_back_at", "id", place, falling=True))
    listed = list(found[: GIVEN + 1])
    rows = [
        Given(
            one,
            one.closed_by.first_name if one.closed_by else "",
            one.outcome == Outcome.ACCEPTED,
            whereabouts(one.lead, at, short=True),
            channel_words(one.lead.source.channel),
        )
        for one in listed[:GIVEN]
    ]
    end = listed[GIVEN - 1] if len(listed) > GIVEN else None
    return rows, cursor("handoffs.given", end.given_back_at.isoformat(), end.pk) if end else ""


def _promised(going: list[dict[str, Any]], workspace: Workspace, at: datetime) -> set[datetime]:
    """By when those who wait for a go would have to be taken, were it given now."""
    clock = Clock(workspace, at)
    return {clock.of(row["grade"][0])["due_at"] for row in going}


@require_safe
@allow("read")
def handoffs(request: Any) -> HttpResponse:
    """The page of all handoffs; the next rows of one of its lists alone for the button under it."""
    return _page(request)


def _page(
    request: Any, *, status: int = 200, wrong: str = "", wrong_in: str = "", chosen: Collection[UUID] = ()
) -> HttpResponse:
    at, member, workspace = request.at, request.member, request.workspace
    people = sellers()
    more, given_more = request.GET.get("after", ""), request.GET.get("given", "")
    rows, following = waits(member, people, at=at, workspace=workspace, place=read("handoffs.waits", more, 2))
    back, given_following = given_back(at, read("handoffs.given", given_more, 2))
    waiting = Handoff.objects.open()
    go_count = Lead.objects.filter(waits_since__isnull=False)[:COUNTED].count()
    may_go = may(member, "leads.go")
    asked = Choice.of(request.GET)
    going = waiting_for_go(workspace, asked, at=at) if go_count else []
    silent = late_first_contacts(at)
    left = Lead.objects.filter(holder__in=Member.objects.filter(active=False), stage__in=[*SALES, Stage.CUSTOMER])
    held = list(left.select_related("holder__user").order_by("-received_at", "-id")[: WAITING + 1]) if may_go else []
    return render(
        request,
        "funnel/overview/handoffs.html",
        {
            "rows": rows,
            "next_url": f"?after={following}" if following else "",
            "count": waiting.count(),
            "late": waiting.too_long(at).count(),
            "pool": waiting.filter(offered_to=None).count(),
            "go_count": go_count,
            "counted": COUNTED,
            "go": going,
            "asked": asked,
            "may_go": may_go,
            "may_promise": may(member, "business"),
            "go_due": sorted(_promised(going, workspace, at)) if may_go else [],
            "loads": loads(people) if go_count else [],
            "silent": [
                (one, minutes_until(one.contact_due_at, at=at, workspace=workspace))
                for one in silent.select_related("lead__holder__user")[:SILENT]
            ],
            "silent_count": silent.count(),
            "held": held[:WAITING],
            "held_more": len(held) > WAITING,
            "people": people if may_go else [],
            "wrong": wrong,
            "wrong_in": wrong_in,
            "wrong_at": request.POST.get("at", "several") if wrong else "",
            "chosen": chosen,
            "reason": request.POST.get("reason", ""),
            "to": request.POST.get("to", ""),
            "given": back,
            "given_url": f"?given={given_following}#back" if given_following else "",
            "page": WAITING,
            "given_page": GIVEN,
            "is_first": not more and not given_more,
        },
        status=status,
    )


def _ids(words: list[str]) -> list[UUID]:
    try:
        return [UUID(word) for word in words]
    except ValueError:
        raise BadRequest("This form has been changed on its way. Open the page again.") from None


@require_POST
@allow("leads.go")
def handoffs_go(request: Any) -> HttpResponse:
    """Hand over the chosen leads that wait for a go."""
    chosen = list(dict.fromkeys(_ids(request.POST.getlist("lead"))))[:GOING]
    if not chosen:
        messages.warning(request, "Nobody was chosen, so nobody was handed over.")
        return redirect("handoffs")
    if Lead.objects.filter(pk__in=chosen).count() != len(chosen):
        raise Http404
    opened = handoff.go(chosen, by=request.member, workspace=request.workspace, at=request.at)
    gone = len(chosen) - len(opened)
    if opened:
        messages.success(request, f"{plural(len(opened), 'lead')} handed over.")
    if gone:
        messages.warning(request, f"{plural(gone, 'lead')} did not wait for your go any more.")
    return redirect("handoffs")


def _how(request: Any) -> dict[str, Any]:
    """To whom somebody passes on, and why."""
    named = request.POST.get("to", "")
    to = get_object_or_404(Member.objects.active().select_related("user"), pk=_ids([named])[0]) if named else None
    reason = request.POST.get("reason", "")[:500]
    return {"reason": reason, "to": to, "by": request.member, "at": request.at, "workspace": request.workspace}


def _refused(request: Any, refusal: Refusal, chosen: Collection[UUID] = ()) -> HttpResponse:
    """The page as it is now, with the sentence at the field where there is one."""
    field = refusal.extra.get("field", "")
    return _page(request, status=refusal.status, wrong=refusal.sentence, wrong_in=field, chosen=chosen)


@require_POST
@allow("leads.go")
def handoffs_pass(request: Any) -> HttpResponse:
    """Pass several on, with a reason: offers that wait, or leads that are held by nobody active."""
    offers, held = (list(dict.fromkeys(_ids(request.POST.getlist(name)))) for name in ("handoff", "held"))
    chosen = [*offers, *held]
    how = _how(request)
    if not chosen:
        return _page(request, status=422, wrong="Choose whom to pass on.")
    waiting = list(Handoff.objects.filter(pk__in=offers))
    if len(waiting) != len(offers) or Lead.objects.filter(pk__in=held).count() != len(held):
        raise Http404
    try:
        passed = len(passing.pass_several(waiting, **how)) if offers else 0
        passed += sum(passing.pass_held(held, **how).values()) if held else 0
    except Refusal as refusal:
        return _refused(request, refusal, chosen)
    if passed:
        to = f" to {how['to'].name}" if how["to"] else ""
        messages.success(request, f"{plural(passed, 'lead')} passed on{to}.")
    if kept := len(chosen) - passed:
        messages.warning(request, f"{plural(kept, 'lead')} stayed: decided meanwhile, or there already.")
    return redirect("handoffs")


@require_POST
@allow("leads.go")
def handoff_pass(request: Any, pk: UUID) -> HttpResponse:
    """Give an open handoff to the member named, or to whoever is next, with a reason."""
    one = get_object_or_404(Handoff.objects.with_lead(), pk=pk)
    how = _how(request)
    try:
        passed = passing.pass_several([one], **how) if one.is_open else []
    except Refusal as refusal:
        return _refused(request, refusal)
    if not passed:
        messages.warning(request, f"{one.lead} was decided meanwhile; nothing was changed.")
    elif passed[0].offered_to is None:
        messages.success(request, f"{one.lead} is in the pool now: nobody is left who has not had this lead.")
    else:
        messages.success(request, f"{one.lead} waits for {passed[0].offered_to.name} now.")
    return redirect("handoffs")
