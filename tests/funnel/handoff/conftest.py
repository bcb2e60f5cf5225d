"""Leads that wait to be taken."""

import pytest

from funnel.handoff.models import Handoff
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive


@pytest.fixture
def waiting(owner, rep, other_rep, gate, work):
    """Four offers: two wait for each of the two."""
    with gate(owner) as at:
        captures = [Capture(kind="form", email=f"a{n}@firm{n}.example", asks=True) for n in range(4)]
        receive(owner.workspace, captures, at=at)
    work()
    with gate(owner):
        return list(Handoff.objects.open().select_related("offered_to__user").order_by("pk"))
