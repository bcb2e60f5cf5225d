"""The lead whose page is read and worked on, and those who wait for a go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.workspaces.models import Member
from tests.funnel.overview.people import came


@pytest.fixture
def lead(gate: Any, rep: Member, work: Any) -> Lead:
    """Somebody who sent the contact form and now waits for the rep."""
    with gate(rep) as at:
        (got,) = receive(
            rep.workspace,
            [
                Capture(
                    kind="form", name="Ann Bell", email="ann@bell.example", phone="01632 960142", company="Bell Ltd",
                    asks=True, channel="radio", campaign="Spring",
                    data={"form": "Contact us", "promise": "A free roof check", "message": "South roof"},
                    consents={"email": "You may write to me."},
                )
            ],
            at=at,
        )  # fmt: skip
    work()
    assert got.lead is not None, got.refused
    return got.lead


@pytest.fixture
def ready(rep: Member, gate: Any, work: Any) -> list[Lead]:
    """Three leads that were over the line two days ago."""
    with gate(rep) as at:
        leads = came(rep, at, "Ada One", "Ben Two", "Cleo Three", occurred_at=at - timedelta(days=2))
        for lead in leads:
            for _ in range(3):
                touch(lead, "form", at=at, occurred_at=at - timedelta(days=2))
    work()
    return leads
