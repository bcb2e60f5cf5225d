"""What the two pages on which reps work ask of the database, with everything on them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.handoff import actions as handoff
from funnel.handoff import questions
from funnel.leads.actions import touch, void
from funnel.leads.fields import define
from funnel.leads.identity import Capture
from funnel.leads.models import Lead, Suppression
from funnel.leads.receiving import receive
from funnel.leads.suppressing import digest_of, suppress
from funnel.outbox.models import Event
from funnel.overview.health import lateness
from marketing.nurture import actions as nurture
from sales.close import actions as close
from sales.deals import actions as deals
from sales.demos import actions as demos
from sales.negotiation import actions as quotes
from sales.qualification import actions as qualification
from sales.qualification.models import Met
from sales.queue import actions as queue
from sales.queue.actions import NextStep
from tests.marketing.nurture.conftest import nurtured
from tests.sales.negotiation.conftest import ROOF
from tests.sales.queue.conftest import asks

__all__ = ["asks", "nurtured"]
MOST = 15
# What both pages show of Ann as she waits, is with the rep, and has bought.
WORK = {"Q-", 'id="demos', "Enough"}
HELD = {"handed": {"A free roof check"}, "worked": WORK, "bought": WORK}


@pytest.fixture
def handed(nurtured, rep, owner, marketer, gate, work):
    """Ann, of whom a lead's page has everything to say, waits for the rep."""
    with gate(rep) as at:
        define("Roof", "number", by=owner, at=at)
        for name in ("Ann", "Anna"):
            ann = Capture(
                kind="form", name=f"{name} Bell", email="ann@bell.example", phone="01632 960142", company="Bell Ltd",
                channel="radio", campaign="Spring", fields={"roof": "42"},
                data={"form": "Contact us", "promise": "A free roof check", "message": "We have the money"},
                consents={"email": "Write to me", "phone": "Call me"},
            )  # fmt: skip
            lead = receive(rep.workspace, [ann], at=at)[0].lead
        receive(rep.workspace, [Capture(name="Ben", email="ben@bell.example", external_id="7")], at=at)
        receive(rep.workspace, [Capture(kind="form", email="ann@bell.example", external_id="7")], at=at)
    work()
    with gate(rep) as at:
        nurture.enroll(lead, by=marketer, at=at)
        suppress(rep.workspace_id, [digest_of(rep.workspace_id, lead.email)], Suppression.Why.UNSUBSCRIBED, at=at)
        touch(lead, "page_view", at=at, by=marketer)
    work()
    with gate(rep) as at:
        void(Event.objects.filter(lead=lead, kind="page_view").get(), reason="A test", by=marketer, at=at)
        touch(Lead.objects.get(pk=lead.pk), "contact_request", at=at, by=marketer)
    work()
    with gate(rep) as at:
        lead = Lead.objects.get(pk=lead.pk)
        assert lead.stage == "ready"
        questions.ask(lead, "Who is she?", by=rep, at=at)
        return lead


@pytest.fixture
def worked(handed, rep, gate, work):
    """The rep has taken Ann, and has done everything with her that there is."""
    with gate(rep) as at:
        lead = handoff.accept(handed, by=rep, at=at)
        half = timedelta(minutes=30)
        for days in (1, 2):
            begins = at - timedelta(days=days)
            demo = demos.book(lead, holder=rep, starts_at=begins, ends_at=begins + half, by=rep, at=at, past=True)
            demos.no_show(demo, by=rep, at=at)
        begins = at + timedelta(days=3)
        demos.book(lead, holder=rep, starts_at=begins, ends_at=begins + half, by=rep, at=at)
        queue.plan(lead, NextStep("Call", at + timedelta(hours=3)), by=rep, at=at)
        qualification.answer(lead, {"budget": qualification.Said(Met.MET, "Enough")}, by=rep, at=at)
        deal = deals.first_open(lead)
        quotes.send(quotes.draft(deal, [ROOF], by=rep, at=at), by=rep, at=at)
    work()
    with gate(rep):
        return Lead.objects.get(pk=lead.pk)


@pytest.fixture
def bought(worked, rep, gate, work):
    """Ann has bought, and waits for the rep once more."""
    with gate(rep) as at:
        close.win(deals.first_open(worked), by=rep, at=at, amount=5000_00)
        deals.open_deal(worked, by=rep, at=at)
    work()
    with gate(rep):
        return Lead.objects.get(pk=worked.pk)


def statements(client, path):
    """Everything that a page asks, the look at the worker too, but for where a transaction begins and ends."""
    assert client.get(path).status_code == 200
    lateness.known.clear()
    with CaptureQueriesContext(connection) as seen:
        answer = client.get(path)
    assert answer.status_code == 200
    asked = [one["sql"] for one in seen if not one["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))]
    return asked, answer.content.decode()


@pytest.mark.parametrize("who", ["rep", "owner", "marketer", "viewer"])
@pytest.mark.parametrize("scene", ["handed", "worked", "bought"])
def test_the_page_of_a_lead_with_everything_on_it_asks_little(scene, who, request, browse):
    lead, member = request.getfixturevalue(scene), request.getfixturevalue(who)
    asked, page = statements(browse(member), f"/leads/{lead.pk}/")
    assert len(asked) <= MOST, "\n".join(asked)
    there = {"Who is she?", "Do not mail", "Write to me", "Perhaps the same person as", "Roof"} | HELD[scene]
    assert {words for words in there if words not in page} == set()


@pytest.mark.parametrize("scene", ["handed", "worked", "bought"])
def test_the_desk_with_everything_on_it_asks_little(scene, rep, asks, request, browse):
    lead = request.getfixturevalue(scene)
    asks(rep, "Cy Crow")
    asked, page = statements(browse(rep), f"/sales/?lead={lead.pk}")
    assert len(asked) <= MOST, "\n".join(asked)
    assert {words for words in {"Who is she?", "Cy Crow"} | HELD[scene] if words not in page} == set()
