"""What somebody with a meeting's link can do with it: see it, keep it in a calendar, cancel it."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect

from funnel.mail.servers import sender_of
from funnel.workspaces.gate import writing
from sales.demos import actions as demos
from sales.demos.booking import prepare_for
from sales.demos.calendar import invitation
from sales.demos.letters import zone_words
from sales.demos.models import LONGEST_REASON, DemoState
from sales.demos.visits import Visit, about, by_meeting, door, mailed_to, not_too_often, render


@door
def meeting(request: HttpRequest, token: str) -> HttpResponse:
    """Show a meeting to who has its link: when and where, for the calendar, to move or to cancel."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    with by_meeting(request, token) as visit:
        return _meeting(visit, booked="booked" in request.GET)


@door
def cancel(request: HttpRequest, token: str) -> HttpResponse:
    """Cancel a meeting."""
    if request.method in ("GET", "HEAD"):
        # A refused cancellation leaves its own address behind; whoever opens that again wants the meeting.
        return HttpResponseRedirect(f"/m/{token}/", status=303)
    if request.method != "POST":
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    not_too_often(request, token)
    with by_meeting(request, token) as visit:
        demo = visit.demo
        reason = " ".join(request.POST.get("why", "").replace("\x00", "").split())
        if demo is not None and demo.state == DemoState.BOOKED and demo.starts_at > visit.at:
            if len(reason) > LONGEST_REASON:
                wrong = f"Write at most {LONGEST_REASON} characters; this has {len(reason):,}."
                return _meeting(visit, booked=False, status=422, why=reason, wrong=wrong)
            with writing():
                demos.cancel(demo, by=None, at=visit.at, reason=reason)
    return HttpResponseRedirect(f"/m/{token}/#main", status=303)


@door
def calendar(request: HttpRequest, token: str) -> HttpResponse:
    """The meeting as a file for a calendar."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    with by_meeting(request, token) as visit:
        demo = visit.demo
        if demo is None or demo.state != DemoState.BOOKED:
            raise Http404
        body = invitation(
            uid=str(demo.pk),
            sequence=demo.sequence,
            method="PUBLISH",
            made_at=demo.updated_at,
            starts_at=demo.starts_at,
            ends_at=demo.ends_at,
            title=f"{demo.title}: {visit.workspace.name}, {demo.holder.name}",
            place=demo.place,
            business=visit.workspace.name,
            sender=sender_of(visit.workspace),
            people=[],
        )
    answer = HttpResponse(body, content_type="text/calendar; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="meeting.ics"'
    answer["Cache-Control"] = "no-store"
    return answer


def _meeting(visit: Visit, *, booked: bool, status: int = 200, **also: str) -> HttpResponse:
    demo = visit.demo
    assert demo is not None
    before = demos.reminder_at(demo, demo.updated_at)
    context = {
        **about(visit),
        "demo": demo,
        "token": visit.token,
        "state": demo.state if demo.state != DemoState.BOOKED or demo.ends_at > visit.at else "over",
        "booked": booked and demo.state == DemoState.BOOKED,
        "zone_words": zone_words(visit.zone.key),
        "masked": mailed_to(visit),
        "prepare": prepare_for(demo),
        "remind": before if before > visit.at else None,
        "changeable": demo.state == DemoState.BOOKED and demo.starts_at > visit.at,
        "may_choose": visit.page.is_open,
        **also,
    }
    return render("public/meeting.html", context, visit.workspace, status=status)
