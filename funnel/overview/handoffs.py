"""What waits to be taken, what waits for a go, and what sales gave back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from funnel.handoff import actions as handoff
from funnel.handoff import passing, turns
from funnel.handoff.card import WhyNow, touches_of
from funnel.handoff.clock import LATELY, Clock, late_first_contacts
from funnel.handoff.models import Handoff, Outcome
from funnel.handoff.routing import RULES, Rotation, Rules, absence, shares
from funnel.handoff.wayback import whereabouts
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.overview.listing import COUNTED
from funnel.overview.ranking import Choice, listed
from funnel.overview.rows import (
    BASIS,
    UNKNOWN,
    Grade,
    channel_words,
    grades_of,
    minutes_left,
    minutes_until,
)
from funnel.scoring.models import Basis
from funnel.templatetags.words import duration, lateness, plural
from funnel.workspaces.asking import Asked, together
from funnel.workspaces.models import SELLERS, Member, TimeOff, Workspace
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow, may
from funnel.workspaces.tally import Counts, tally

WAITING, GOING, GIVEN, SILENT = 50, 50, 20, 20
Grades = Mapping[UUID, Grade]


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
    # The day on which whoever it waits for goes away, where it goes on by that.
    leaves_on: date | None

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
    grade: Grade | tuple[None, None]
    who: str
    taken_before: bool
    now: str
    came_by: str


# Everybody to whom a handoff can be given by hand, those who take leads first.
PEOPLE = Asked(
    lambda: (
        Member.objects.active().filter(role__in=SELLERS).select_related("user").order_by("-takes_leads", "joined_at")
    )
)


def waits(
    open_: list[Any],
    grades: Grades,
    member: Member,
    people: list[Member],
    off: Sequence[TimeOff],
    *,
    at: datetime,
    workspace: Workspace,
) -> list[Wait]:
    """What a row says of each of these."""
    return [
        Wait(
            one,
            grades.get(one.lead_id, UNKNOWN),
            minutes_left(one, at=at, workspace=workspace),
            [person for person in people if person.pk != one.offered_to_id] if member.leads_others else [],
            one.offered_to_id == member.pk or (one.offered_to_id is None and member.role in SELLERS),
            one.promised_at if one.promised_at < at <= one.due_at else None,
            one.leaves_on(off, at, workspace),
        )
        for one in open_
    ]


def reasons_to_go(leads: list[Lead], basis: Basis, grades: Grades, *, workspace: Workspace, at: datetime) -> list[Any]:
    """What speaks for each of these."""
    if not leads:
        return []
    touches, why = touches_of(leads), WhyNow(basis, workspace, at)
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


def counted(at: datetime) -> Counts:
    """What the page counts, and whom a go would reach: how many each holds, how many wait for them."""
    open_ = Handoff.objects.open()
    some = Lead.objects.filter(waits_since__isnull=False).order_by("waits_since").values("pk")[:COUNTED]
    return tally(
        {
            "offers": (open_, "offered_to"),
            "late": (open_.too_long(at), ""),
            "silent": (late_first_contacts(at), ""),
            "go": (Lead.objects.filter(pk__in=some), ""),
            "held": (Lead.objects.filter(holder__isnull=False, stage__in=SALES), "holder"),
        }
    )


def given_back(back: list[Handoff], grades: Grades, at: datetime) -> list[Given]:
    """What a row says of each that was given back."""
    return [
        Given(
            one,
            grades.get(one.lead_id, UNKNOWN),
            one.closed_by.first_name if one.closed_by else "",
            one.outcome == Outcome.ACCEPTED,
            whereabouts(one.lead, at, short=True),
            channel_words(one.lead.source.channel),
        )
        for one in back
    ]


def _by_member(counts: Mapping[str, int]) -> dict[UUID | None, int]:
    return {UUID(pk) if pk else None: many for pk, many in counts.items()}


def _promised(going: list[dict[str, Any]], workspace: Workspace, at: datetime) -> set[datetime]:
    """By when those who wait for a go would have to be taken, were it given now."""
    clock = Clock(workspace, at)
    return {clock.of(row["grade"][0])["due_at"] for row in going}


def _beside(one: Member, rotation: Rotation) -> str:
    """Why somebody who takes leads gets none by turn now, or gets more than their share by the go that was tried."""
    if away := rotation.away.get(one.pk):
        return f"{away[:1].upper()}{away[1:]}"
    if not one.weekly_leads:
        return "Takes none by turn"
    over = one.pk in rotation.moved and one.week_turns > one.weekly_leads
    return f"Then by turn {turns.had(one)}" if over else ""


def _left_in(request: Any, leads: list[Lead]) -> list[Lead]:
    """Those of the leads shown whom a go would reach: all of them, or only who is ticked by now."""
    if "ticked" not in request.GET:
        return leads
    ticked = set(_ids(request.GET.getlist("lead")))
    return [lead for lead in leads if lead.pk in ticked]


@require_safe
@allow("read")
def handoffs(request: Any) -> HttpResponse:
    """The page of all handoffs; the next rows of one of its lists alone for the button under it."""
    return _page(request)


def _page(
    request: Any, *, status: int = 200, wrong: str = "", wrong_in: str = "", chosen: Collection[UUID] = ()
) -> HttpResponse:
    at, member, workspace = request.at, request.member, request.workspace
    asked, may_go = Choice.of(request.GET), may(member, "leads.go")
    more, given_more = request.GET.get("after", ""), request.GET.get("given", "")
    (basis,), people, rules = together([(BASIS, []), (PEOPLE, []), (RULES, [])])
    by = {"basis": basis, "at": at}
    waiting = Handoff.objects.open().with_lead().with_promise()
    open_, following = listed(asked, waiting, "due_at", kind="handoffs.waits", after=more, size=WAITING, **by)
    returned = Handoff.objects.filter(given_back_at__gte=at - LATELY)
    returned = returned.select_related("lead__source", "lead__holder__user", "reason", "closed_by__user")
    back, given_following = listed(
        asked, returned, "-given_back_at", kind="handoffs.given", after=given_more, size=GIVEN, **by
    )
    counts = counted(at)
    offers, held_by = (_by_member(counts[name]) for name in ("offers", "held"))
    go_count = counts["go"].get("", 0)
    ready = Lead.objects.filter(waits_since__isnull=False)
    leads = listed(asked, ready, "waits_since", kind="go", size=GOING, **by)[0] if go_count else []
    unheard = late_first_contacts(at).select_related("lead__holder__user")
    silent = listed(asked, unheard, "contact_due_at", kind="silent", size=SILENT, **by)[0]
    left = Lead.objects.filter(holder__in=Member.objects.filter(active=False), stage__in=[*SALES, Stage.CUSTOMER])
    left = left.select_related("holder__user")
    held, held_more = listed(asked, left, "-received_at", kind="held", size=WAITING, **by) if may_go else ([], "")
    ids = [one.lead_id for one in (*open_, *back, *silent)] + [lead.pk for lead in (*leads, *held)]
    grades = grades_of(ids, **by)
    going = reasons_to_go(leads, basis, grades, workspace=workspace, at=at)
    takers, left_in = [one for one in people if one.takes_leads], _left_in(request, leads) if may_go else []
    rotation = Rotation.of(takers, at, Rules(rules if left_in else []), workspace)
    would = shares(rotation, left_in, {pk: grade[0] for pk, grade in grades.items()}) if left_in else {}
    return render(
        request,
        "funnel/overview/handoffs.html",
        {
            "rows": waits(open_, grades, member, people, rotation.off, at=at, workspace=workspace),
            "next_url": asked.query(after=following) if following else "",
            "count": sum(offers.values()),
            "late": counts["late"].get("", 0),
            "pool": offers.get(None, 0),
            "go_count": go_count,
            "counted": COUNTED,
            "go": going,
            "left_in": len(left_in),
            "asked": asked,
            "may_go": may_go,
            "may_promise": may(member, "business"),
            "go_due": sorted(_promised(going, workspace, at)) if may_go else [],
            "loads": [
                {
                    "name": one.name,
                    "holds": held_by.get(one.pk, 0),
                    "waits": offers.get(one.pk, 0),
                    "would": would.get(one.pk, 0),
                    "beside": _beside(one, rotation),
                }
                for one in takers
                if go_count
            ],
            "would_pool": would.get(None, 0),
            "silent": [
                (
                    one,
                    grades.get(one.lead_id, UNKNOWN),
                    minutes_until(one.contact_due_at, at=at, workspace=workspace),
                )
                for one in silent
            ],
            "silent_count": counts["silent"].get("", 0),
            "held": [(lead, grades.get(lead.pk, UNKNOWN)) for lead in held],
            "held_more": bool(held_more),
            "people": people if may_go else [],
            "wrong": wrong,
            "wrong_in": wrong_in,
            "wrong_at": request.POST.get("at", "several") if wrong else "",
            "chosen": chosen,
            "reason": request.POST.get("reason", ""),
            "to": request.POST.get("to", ""),
            "given": given_back(back, grades, at),
            "given_url": f"{asked.query(given=given_following)}#back" if given_following else "",
            "is_first": not more and not given_more,
        },
        status=status,
    )


def _ids(words: list[str]) -> list[UUID]:
    try:
        return [UUID(word) for word in words]
    except ValueError:
        raise BadRequest("This form has been changed on its way. Open the page again.") from None


def _back(request: Any) -> HttpResponse:
    """To the page as it was asked for."""
    return redirect(reverse("handoffs") + Choice.of(request.GET).query())


def _to_whom(opened: Sequence[Handoff]) -> str:
    """To whom these went, as the end of a sentence; what is in the pool is told apart."""
    got = Counter(one.offered_to for one in opened if one.offered_to is not None).most_common()
    if len(got) == 1 and got[0][1] == len(opened):
        return f" to {got[0][0].name}"
    return f": {', '.join(f'{many:,} to {one.name}' for one, many in got)}" if got else ""


@require_POST
@allow("leads.go")
def handoffs_go(request: Any) -> HttpResponse:
    """Hand over the chosen leads that wait for a go."""
    chosen = list(dict.fromkeys(_ids(request.POST.getlist("lead"))))[:GOING]
    if not chosen:
        messages.warning(request, "Nobody was chosen, so nobody was handed over.")
        return _back(request)
    if Lead.objects.filter(pk__in=chosen).count() != len(chosen):
        raise Http404
    opened = handoff.go(chosen, by=request.member, workspace=request.workspace, at=request.at)
    gone = len(chosen) - len(opened)
    if opened:
        messages.success(request, f"{plural(len(opened), 'lead')} handed over{_to_whom(opened)}.")
    if pool := sum(one.offered_to_id is None for one in opened):
        messages.warning(request, f"{pool:,} of them went to the pool: nobody takes them by turn now.")
    if gone:
        messages.warning(request, f"{plural(gone, 'lead')} did not wait for your go any more.")
    return _back(request)


def _how(request: Any) -> dict[str, Any]:
    """To whom somebody passes on, and why."""
    named = request.POST.get("to", "")
    to = get_object_or_404(Member.objects.active().select_related("user"), pk=_ids([named])[0]) if named else None
    reason = request.POST.get("reason", "")
    return {"reason": reason, "to": to, "by": request.member, "at": request.at, "workspace": request.workspace}


def warn_of_absence(request: Any, to: Member | None) -> None:
    """Say that somebody who was given a lead by hand is not there; whoever did it may know better."""
    if to is not None and (why := absence(to, request.at, request.workspace)):
        messages.warning(request, why)


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
        warn_of_absence(request, how["to"])
    if kept := len(chosen) - passed:
        messages.warning(request, f"{plural(kept, 'lead')} stayed: decided meanwhile, or there already.")
    return _back(request)


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
        warn_of_absence(request, how["to"])
    return _back(request)
