"""Demos for the tests, at nine and later on a working day of the coming weeks; and what a visitor sends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from itertools import count
from typing import Any

import pytest
from django.core import signing
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from funnel.workspaces.models import Member
from sales.demos import actions as demos
from sales.demos import booking
from sales.demos.models import BookingPage, Demo


def slot(member: Member, at: datetime, hour: int = 9, *, days: int = 7) -> datetime:
    """An hour on the first working day that is so many days ahead, on the business's clock."""
    day = member.workspace.local(at).date() + timedelta(days=days)
    day += timedelta(days=(7 - day.weekday()) % 7 if day.weekday() > 4 else 0)
    return datetime.combine(day, time(hour), member.workspace.zone)


HALF = timedelta(minutes=30)


@pytest.fixture
def demo_of(catch: Any, gate: Any) -> Callable[..., Demo]:
    """Book a demo of half an hour with the member."""

    def booked(member: Member, name: str = "Ann Bell", *, hour: int = 9, days: int = 7, **also: Any) -> Demo:
        lead = also.pop("lead", None) or catch(member, name)
        with gate(member) as at:
            starts_at = slot(member, at, hour, days=days)
            also.setdefault("by", member)
            return demos.book(lead, holder=member, starts_at=starts_at, ends_at=starts_at + HALF, at=at, **also)

    return booked


@pytest.fixture
def past_demo(catch: Any, gate: Any) -> Callable[..., Demo]:
    """A demo that began a moment ago, as if it had been booked before."""

    def booked(member: Member, name: str = "Ann Bell", *, hours: float = 1, **also: Any) -> Demo:
        lead = also.pop("lead", None) or catch(member, name)
        with gate(member) as at:
            starts_at = at - timedelta(hours=hours)
            return demos.book(
                lead, holder=member, starts_at=starts_at, ends_at=starts_at + HALF, by=member, at=at, past=True, **also
            )

    return booked


@pytest.fixture
def page(rep: Member, gate: Any) -> BookingPage:
    """The rep's booking page."""
    with gate(rep) as at:
        made = booking.page_of(rep, at=at)
        return booking.change_page(made, {"title": "Site visit", "place": "At your roof"}, by=rep, at=at)


NIA = {"name": "Nia Beddoes", "email": "nia@clunforge.example", "note": "The dog is kind"}
WORDS = count()


def stamped(token: str, *, ago: int = 5000) -> str:
    """The word of a page that was shown a while ago."""
    moment = int(timezone.now().timestamp() * 1000) - ago
    return signing.Signer(salt=f"booking:{token}").sign(f"{moment}.{next(WORDS)}")


def send(page_or_token: BookingPage | str, at: datetime, client: Client | None = None, **typed: Any) -> HttpResponse:
    """Book a time on a rep's page, or on that of a meeting by its token, as a visitor does."""
    token = getattr(page_or_token, "token", page_or_token)
    where = "b" if isinstance(page_or_token, BookingPage) else "m"
    posted = {"at": at.astimezone(UTC).isoformat(), "shown": stamped(token), **typed}
    return (client or Client()).post(f"/{where}/{token}/confirm/", posted)
