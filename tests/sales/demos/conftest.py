"""Demos for the tests: times in the coming weeks, at nine and later on a working day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

import pytest

from funnel.workspaces.models import Member
from sales.demos import actions as demos
from sales.demos.models import Demo


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
