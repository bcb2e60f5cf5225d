"""The lead whose page is read and worked on."""

from __future__ import annotations

from typing import Any

import pytest

from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.workspaces.models import Member


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
