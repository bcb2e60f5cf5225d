"""Who may do what: one table, read by pages, API and navigation."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from funnel.workspaces.models import Member, Role

EVERYBODY = frozenset(Role)
LEADING = frozenset({Role.OWNER, Role.MANAGER})
MARKETING = LEADING | {Role.MARKETER}
SELLING = LEADING | {Role.REP}

MAY: dict[str, frozenset[Role]] = {
    "read": EVERYBODY,
    # Which leads a rep may change is LeadQuerySet.changeable_by's.
    "leads.change": MARKETING | {Role.REP},
    "leads.take": SELLING,
    "leads.go": LEADING,
    "events.void": MARKETING,
    "reasons.change": LEADING,
    "campaigns.change": MARKETING,
    "rules.change": MARKETING,
    "costs.change": MARKETING,
    # What all of us won; a rep reads what they earned themselves.
    "revenue": EVERYBODY - {Role.REP},
    "deals.change": SELLING,
    "products.change": LEADING,
    "targets.change": LEADING,
    "import": MARKETING,
    "people": LEADING,
    "stuck": LEADING,
    "business": frozenset({Role.OWNER}),
}


def may(member: Member | None, what: str) -> bool:
    """Whether the member's role allows it."""
    return member is not None and member.role in MAY[what]


def allow(what: str) -> Callable[[Any], Any]:
    """Let a page's view run for the roles that MAY names; 403 for others, the start page without a business."""

    def wrap(view: Any) -> Any:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            member: Member | None = request.member  # type: ignore[attr-defined]
            if member is None:
                return redirect("start")
            if not may(member, what):
                raise PermissionDenied("Your role doesn’t include this page.")
            return view(request, *args, **kwargs)

        guarded.allowed = what  # type: ignore[attr-defined]
        return guarded

    return wrap


def public(view: Any) -> Any:
    """Let everybody in, log-in or not; a test lists these doors."""
    opened = login_not_required(view)
    opened.public = True
    return opened
