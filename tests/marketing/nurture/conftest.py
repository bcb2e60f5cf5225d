"""A sequence of two mails, and a lead who agreed to mail and was with sales."""

import pytest

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from marketing.nurture import actions as nurture
from marketing.nurture.models import Enrollment, Step
from tests.funnel.mail.conftest import sink

__all__ = ["sink"]
MAILS = (
    (3, "{{first_name|friend}}, what a roof costs", "See https://first.example/roofs?from=mail.\n\nYours"),
    (7, "A question from {{business}}", "Is it about money? Simply answer.\nhttps://first.example/a and https://b.example/"),
)  # fmt: skip


@pytest.fixture
def nurtured(gate, owner, marketer):
    with gate(owner) as at:
        sequence = nurture.sequence_of(owner.workspace, at=at)
        for days, subject, text in MAILS:
            nurture.keep_step(Step(workspace=owner.workspace, sequence=sequence, days=days, subject=subject, text=text))
        nurture.set_up(sequence, is_on=True, sender=marketer)
    return sequence


@pytest.fixture
def lead(gate, rep, work):
    """Ann waits for the rep, and has agreed to mail."""
    ann = Capture(
        kind="form", name="Ann Bell", email="ann@bell.example", asks=True, data={"form": "Contact us"},
        consents={"email": "Send me advice"},
    )  # fmt: skip
    with gate(rep) as at:
        receive(rep.workspace, [ann], at=at)
    work()
    with gate(rep):
        return Lead.objects.select_related("workspace").get()


@pytest.fixture
def given_back(gate, rep, lead):
    """Give Ann back; the moment."""

    def given(key="not-ready"):
        with gate(rep) as at:
            handoff.give_back(lead, reason=GiveBackReason.objects.get(key=key), by=rep, at=at)
        return at

    return given


@pytest.fixture
def enrolled(nurtured, given_back, gate, owner, work):
    """Ann, given back and enrolled."""
    given_back()
    work()
    with gate(owner):
        return Enrollment.objects.select_related("lead__workspace").get()
