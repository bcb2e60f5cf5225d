"""Leads on their way to a rep's desk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.workspaces.models import Member


@pytest.fixture
def asks(gate: Any, work: Any) -> Callable[..., Lead]:
    """Let somebody ask for contact, so that a handoff opens."""

    def asked(member: Member, name: str = "Ann Bell", **also: Any) -> Lead:
        with gate(member) as at:
            mail = f"{name.split()[0].lower()}@{name.split()[-1].lower()}.example"
            given = {"email": mail, "phone": "01632 960142", "data": {"form": "Contact us"}} | also
            (got,) = receive(member.workspace, [Capture(kind="form", name=name, asks=True, **given)], at=at)
        work()
        assert got.lead is not None
        return got.lead

    return asked


@pytest.fixture
def taken(asks: Any, gate: Any) -> Callable[..., Lead]:
    """A lead that the rep has taken."""
    from funnel.handoff import actions as handoff

    def took(member: Member, name: str = "Ann Bell", **also: Any) -> Lead:
        lead = asks(member, name, **also)
        with gate(member) as at:
            return handoff.accept(Lead.objects.get(pk=lead.pk), by=member, at=at)

    return took
