"""Leads in every state that the API's promises speak of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.workspaces.models import Member


@pytest.fixture
def catch(gate: Any) -> Callable[..., Lead]:
    """Receive one lead of the member's business."""

    def caught(member: Member, **capture: Any) -> Lead:
        capture.setdefault("email", "ann@bell.example")
        with gate(member) as at:
            got = receive(member.workspace, [Capture(**capture)], at=at)[0]
            assert got.lead is not None, got.refused
            return got.lead

    return caught


@pytest.fixture
def offered(catch: Any, work: Any, rep: Member) -> Lead:
    """A lead that asked for contact and is offered to the rep."""
    lead = catch(rep, name="Ann Bell", kind="form", asks=True, external_id="W-1")
    work()
    return lead


@pytest.fixture
def lead(catch: Any, owner: Member) -> Lead:
    """A lead with marketing."""
    return catch(owner, name="Ann Bell", phone="020 7946 0018", company="Bell")


@pytest.fixture
def foreign(catch: Any, outsider: Member) -> Lead:
    """A lead of another business."""
    return catch(outsider, email="otto@foreign.example", name="Otto Foreign", external_id="F-1")
