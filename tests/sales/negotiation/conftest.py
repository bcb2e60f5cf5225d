"""A quote on its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from funnel.workspaces.models import Member
from sales.negotiation import actions as quotes
from sales.negotiation.actions import LineDraft
from sales.negotiation.models import QuoteVersion

ROOF = LineDraft("Solar panels, 440 W", 14_0000, 128_00)
BATTERY = LineDraft("Battery, 9.5 kWh", 1_0000, 3950_00, discount=5_000, tax_rate=20_000)


@pytest.fixture
def drafted(deal_with: Any, gate: Any) -> Callable[..., QuoteVersion]:
    """A draft of a deal of the member's."""

    def made(member: Member, name: str = "Ann Bell", lines: Any = (ROOF, BATTERY), **also: Any) -> QuoteVersion:
        deal = deal_with(member, name)
        with gate(member) as at:
            return quotes.draft(deal, list(lines), by=member, at=at, **also)

    return made


@pytest.fixture
def sent(drafted: Any, gate: Any) -> Callable[..., QuoteVersion]:
    """The same, sent."""

    def made(member: Member, *how: Any, **also: Any) -> QuoteVersion:
        version = drafted(member, *how, **also)
        with gate(member) as at:
            quotes.send(version, by=member, at=at)
            return QuoteVersion.objects.whole().get(pk=version.pk)

    return made
