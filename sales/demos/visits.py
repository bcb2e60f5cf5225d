"""Who a visitor of the booking pages is, on whose page, on which clock; and what stands around these pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import get_template
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from funnel.mail.actions import is_sent
from funnel.people.places import zones
from funnel.workspaces import limits
from funnel.workspaces.doors import address_of, behind
from funnel.workspaces.faces import face_of
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import PublicDoor, Workspace
from funnel.workspaces.roles import public
from sales.demos import booking as meetings
from sales.demos.models import BookingPage, Demo, DemoState
from sales.demos.slots import Offer, offer

MINUTE = 60


class Trouble(Exception):
    """What a visitor asked for can't be shown; the sentence says why."""

    def __init__(self, status: int, sentence: str, workspace: Workspace | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.workspace = status, sentence, workspace


@dataclass
class Visit:
    """What one request of a visitor is about: whose times, on which clock, and the meeting that their link names."""

    token: str
    page: BookingPage
    workspace: Workspace
    at: datetime
    zone: ZoneInfo
    # Nobody has said so far by which clock they read times.
    zone_guessed: bool
    demo: Demo | None = None

    @property
    def moves(self) -> Demo | None:
        """The meeting that a new time would move; after one that was missed or cancelled a new one is booked."""
        demo = self.demo
        return demo if demo is not None and demo.state == DemoState.BOOKED and demo.ends_at > self.at else None

    @property
    def base(self) -> str:
        return f"/m/{self.token}/" if self.demo else f"/b/{self.token}/"

    @property
    def times_path(self) -> str:
        return f"{self.base}times/" if self.demo else self.base

    def offer(self, since: date | None = None) -> Offer:
        return offer(self.page, workspace=self.workspace, at=self.at, since=since, zone=self.zone, besides=self.moves)


def door(view: Callable[..., HttpResponse]) -> Any:
    """A view for people outside: open to all, without cookie; a trouble becomes a page."""

    @wraps(view)
    def opened(request: HttpRequest, token: str) -> HttpResponse:
        try:
            return view(request, token)
        except Trouble as trouble:
            again = trouble.status in (400, 429)
            context = {"sentence": trouble.sentence, "again": again}
            return render("public/trouble.html", context, trouble.workspace, status=trouble.status)

    return public(csrf_exempt(opened))


@contextmanager
def by_page(request: HttpRequest, token: str) -> Iterator[Visit]:
    """Open the gate of the page's business; raise Http404, or Trouble for a page that is closed."""
    workspace_id = behind(token)
    with tenant(workspace_id) as at:
        found = BookingPage.objects.filter(token=token).select_related("member__user", "workspace").first()
        if found is None:
            raise Http404
        workspace = found.workspace
        if not found.is_open or not found.member.active:
            raise Trouble(410, "Nobody can be booked here at the moment.", workspace)
        with _clock(request, workspace) as clock:
            yield Visit(token, found, workspace, at, *clock)


@contextmanager
def by_meeting(request: HttpRequest, token: str) -> Iterator[Visit]:
    """Open the gate of the meeting's business, for who has its link; raise Http404."""
    workspace_id = behind(token)
    with tenant(workspace_id) as at:
        demo = _demo(token)
        workspace = demo.lead.workspace
        page = meetings.page_for(demo, at=at)
        if page is None:
            # Whoever it was with has left; what is to be seen of it needs no times.
            page = BookingPage(member=demo.holder, title=demo.title, place=demo.place, is_open=False, created_at=at)
        with _clock(request, workspace, demo.zone) as clock:
            yield Visit(token, page, workspace, at, *clock, demo)


def _demo(token: str) -> Demo:
    found: Demo | None = (
        Demo.objects.filter(digest=PublicDoor.digest_of(token))
        .select_related("lead__workspace", "lead__holder__user", "lead__holder__workspace", "holder__user")
        .first()
    )
    if found is None:
        raise Http404
    return found


@contextmanager
def _clock(request: HttpRequest, workspace: Workspace, own: str = "") -> Iterator[tuple[ZoneInfo, bool]]:
    """The visitor's clock, and whether nobody chose it, so that the browser may be asked (zone.js).

    The one they chose, else the one they booked by, else the one that their browser goes by, else the business's.
    """
    chosen = request.POST.get("zone") or request.GET.get("zone") or ""
    if chosen and chosen not in zones() and chosen not in (own, workspace.time_zone):
        raise Trouble(400, "We don’t know this time zone.", workspace)
    here = request.GET.get("here", "")
    name = chosen or own or (here if here in zones() else workspace.time_zone)
    with timezone.override(ZoneInfo(name)):
        yield ZoneInfo(name), not (chosen or own) and request.method in ("GET", "HEAD")


def not_too_often(request: HttpRequest, token: str) -> None:
    each, _ = settings.FORM_LIMITS
    if each and limits.hit("booking", f"{token} {address_of(request)}", each, MINUTE):
        raise Trouble(429, "That was a lot at once. Please wait a minute and try again.")


def mailed_to(visit: Visit) -> str:
    """Where letters about the meeting go, as a link that was passed on may show it; nothing while none leave."""
    if visit.demo is None or not is_sent(visit.workspace):
        return ""
    name, _, domain = visit.demo.lead.email.partition("@")
    return f"{name[:1]}…@{domain}" if domain else ""


def about(visit: Visit) -> dict[str, Any]:
    """The poster: what the meeting is, with whom, how long and where."""
    page, demo = visit.page, visit.moves
    return {
        "title": page.title,
        "intro": page.intro if visit.demo is None else "",
        "rep": demo.holder if demo else page.member,
        "minutes": int(demo.length.total_seconds() // 60) if demo else page.minutes,
        "place": demo.place if demo else page.place,
        "base": visit.base,
        "times_path": visit.times_path,
        "zone": visit.zone.key,
        "zone_guessed": visit.zone_guessed,
    }


def render(template: str, context: dict[str, Any], workspace: Workspace | None, *, status: int = 200) -> HttpResponse:
    """Render without the request: nothing of a member's may reach a visitor, and no token may set a cookie."""
    business = face_of(workspace) if workspace else {"name": ""}
    response = HttpResponse(get_template(template).render({**context, "business": business}), status=status)
    response["Cache-Control"] = "no-store"
    return response
