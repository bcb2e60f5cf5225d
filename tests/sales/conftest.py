"""Leads and deals for the tests of the sales wing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.workspaces.models import Member, Workspace
from sales.deals import actions as deals
from sales.deals.models import Deal


@pytest.fixture
def catch(gate: Any) -> Callable[..., Lead]:
    """Receive one lead of the member's business."""

    def caught(member: Member, name: str = "Ann Bell", **capture: Any) -> Lead:
        capture.setdefault("email", f"{name.replace(' ', '.').lower()}@bell.example")
        with gate(member) as at:
            got = receive(member.workspace, [Capture(name=name, **capture)], at=at)[0]
            assert got.lead is not None, got.refused
            return got.lead

    return caught


@pytest.fixture
def taken(catch: Any, gate: Any) -> Callable[..., Lead]:
    """Receive one lead that is the member's own, in conversation."""

    def took(member: Member, name: str = "Ann Bell", **capture: Any) -> Lead:
        lead: Lead = catch(member, name, **capture)
        with gate(member) as at:
            lead.move("working", at=at, holder=member)
        return lead

    return took


@pytest.fixture
def deal_with(catch: Any, gate: Any) -> Callable[..., Deal]:
    """Open a deal of the member's with somebody of this name."""

    def opened(member: Member, name: str = "Ann Bell", **also: Any) -> Deal:
        lead = catch(member, name)
        with gate(member) as at:
            return deals.open_deal(lead, by=member, at=at, **also)

    return opened


@pytest.fixture
def mail_works(gate: Any, settings: Any) -> Callable[[Member], None]:
    """Let the mail of the member's business leave, as after a test mail that arrived."""

    def proven(member: Member) -> None:
        settings.EMAIL_URL = "smtp://mail.example"
        with gate(member) as at:
            Workspace.objects.filter(pk=member.workspace_id).update(mail_proved_at=at)

    return proven
