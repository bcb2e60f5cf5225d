"""A handoff that waits for somebody, made as one comes about."""

import pytest

from funnel.handoff import actions as handoff
from funnel.leads.models import Lead
from funnel.leads.receiving import Capture, receive


@pytest.fixture
def new_lead(gate):
    def made(member, name="Anna Ahlberg", email=""):
        with gate(member) as at:
            address = email or f"{name.split()[0].lower()}@lead.example"
            capture = Capture(name=name, email=address)
            (received,) = receive(member.workspace, [capture], at=at)
            return Lead.objects.get(pk=received.lead.pk)

    return made


@pytest.fixture
def open_handoff(gate, new_lead):
    """Open a handoff that is offered to the member."""

    def opened(member, name="Anna Ahlberg"):
        lead = new_lead(member, name)
        with gate(member) as at:
            (one,) = handoff.open_for(
                [lead], why={lead.pk: "Asked to be contacted"}, workspace=member.workspace, at=at, to=member
            )
        return one

    return opened
