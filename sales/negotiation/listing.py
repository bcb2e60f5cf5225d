"""Quotes by what has become of them: my own, or everybody's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.http import HttpRequest

from funnel.overview.known import Known
from funnel.overview.paging import PAGE, beyond, cursor, read
from funnel.templatetags.words import plural
from funnel.workspaces.models import Member
from sales.deals.models import OPEN
from sales.negotiation.models import QuoteVersion, State

# Less than this before its end a quote wants a call.
SOON = timedelta(days=7)
CARD = 10
FILTERS = (("open", "Open"), ("accepted", "Accepted"), ("drafts", "Drafts"), ("over", "Declined or ended"))


def rows_of(member: Member, what: str, *, mine: bool, at: datetime) -> Any:
    """The versions of a filter with their quote, deal and lead; of a quote only what it has come to."""
    rows = QuoteVersion.objects.whole()
    if mine:
        rows = rows.filter(quote__deal__holder=member)
    if what == "accepted":
        return rows.filter(state=State.ACCEPTED)
    if what == "drafts":
        return rows.filter(state=State.DRAFT)
    if what == "over":
        return rows.over(at)
    return rows.running(at)


def running_out(at: datetime) -> Any:
    """Quotes whose last day is near, the nearest first: for the homes."""
    return QuoteVersion.objects.whole().running(at).filter(ends_at__lte=at + SOON).order_by("ends_at", "id")


def page_of(request: HttpRequest) -> dict[str, Any]:
    """One page of a filter: open ones by their end, all others by what happened last."""
    member: Member = request.member  # type: ignore[attr-defined]
    at: datetime = request.at  # type: ignore[attr-defined]
    what = request.GET.get("is", "")
    what = what if what in dict(FILTERS) else "open"
    sells = member.role == "rep" or member.leads_others
    whose = request.GET.get("of", "mine" if member.role == "rep" else "all")
    mine = sells and whose == "mine"
    rows = rows_of(member, what, mine=mine, at=at)
    key, falling = ("ends_at", False) if what == "open" else ("updated_at", True)
    rows = rows.order_by(F(key).desc() if falling else F(key).asc(), "-id" if falling else "id")
    if after := read(f"quotes-{what}", request.GET.get("after", ""), 2):
        rows = rows.filter(beyond(key, "id", after, falling=falling))
    found = list(rows[: PAGE + 1])
    more, found = len(found) > PAGE, found[:PAGE]
    keep = f"is={what}&of={'mine' if mine else 'all'}"
    place = cursor(f"quotes-{what}", getattr(found[-1], key).isoformat(), found[-1].pk) if more else ""
    return {
        "what": what,
        "mine": mine,
        "sells": sells,
        "filters": FILTERS,
        "rows": [
            {"version": one, "state": one.state_at(at), "left": left(one, at), "soon": is_soon(one, at)}
            for one in found
        ],
        "next_url": f"?{keep}&after={place}" if more else "",
        "is_first": after is None,
        "nothing": not found and after is None and not QuoteVersion.objects.exists(),
    }


def is_soon(version: QuoteVersion, at: datetime) -> bool:
    """Whether an open version ends within days."""
    return version.state == State.SENT and version.ends_at is not None and at < version.ends_at <= at + SOON


def left(version: QuoteVersion, at: datetime) -> str:
    """How long an open version still stands, in words."""
    if version.state != State.SENT or version.ends_at is None or version.ends_at <= at:
        return ""
    days = (version.ends_at - at) // timedelta(days=1)
    return f"{plural(days, 'day')} left" if days else "ends today"


def running_out_card(request: HttpRequest, known: Known) -> dict[str, Any] | None:
    """The card of the owner's home: SLOTS["home_cards"]."""
    at: datetime = request.at  # type: ignore[attr-defined]
    found = list(running_out(at)[: CARD + 1])
    if not found:
        return None
    rows = [{"version": one, "left": left(one, at)} for one in found[:CARD]]
    return {"template": "sales/_quotes_card.html", "context": {"rows": rows, "more": len(found) > CARD}}


def my_card(request: HttpRequest) -> dict[str, Any] | None:
    """My quotes that wait: to be won first, then the open ones by their end. SLOTS["month_cards"]."""
    member: Member = request.member  # type: ignore[attr-defined]
    at: datetime = request.at  # type: ignore[attr-defined]
    accepted = rows_of(member, "accepted", mine=True, at=at).filter(quote__deal__stage__in=OPEN)
    running = rows_of(member, "open", mine=True, at=at).order_by("ends_at", "id")
    found = [*accepted.order_by("decided_at", "id")[:CARD], *running[: CARD + 1]]
    rows = [{"version": one, "state": one.state_at(at), "left": left(one, at)} for one in found[:CARD]]
    return {"template": "sales/_my_quotes_card.html", "context": {"rows": rows, "more": len(found) > CARD}}
