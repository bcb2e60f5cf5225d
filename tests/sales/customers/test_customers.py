"""Customers: who bought, what they brought, and who hears of it when they ask again."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.handoff.models import Handoff
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.ledger import actions as ledger
from funnel.overview.paging import PAGE
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import Deal
from sales.queue.models import Task


@pytest.fixture
def customer(catch, gate):
    """Somebody who bought from the member."""

    def bought(member, name="Ann Bell", amount=100_00):
        lead = catch(member, name)
        with gate(member) as at:
            close.win(deals.open_deal(lead, by=member, at=at, title="Roof", amount=amount), by=member, at=at)
            return Lead.objects.get(pk=lead.pk)

    return bought


def seen(client, query=""):
    answer = client.get(f"/sales/customers/{query}")
    assert answer.status_code == 200
    return answer.content.decode().replace("\xa0", " ")


def asks(member, lead, gate, work):
    """The lead sends the contact form again."""
    with gate(member) as at:
        receive(member.workspace, [Capture(kind="form", email=lead.email, asks=True)], at=at)
    work()


def test_a_customer_who_asks_again_is_handed_over_to_the_account_s_rep(rep, other_rep, customer, gate, work):
    lead = customer(other_rep)
    asks(rep, lead, gate, work)
    with gate(rep):
        assert Handoff.objects.open().get().offered_to_id == other_rep.pk
        assert Lead.objects.get(pk=lead.pk).stage == "customer"
        assert not Task.objects.exists()


def test_a_customer_with_an_open_deal_who_asks_again_is_a_step_for_the_rep(rep, other_rep, customer, gate, work):
    lead = customer(other_rep)
    with gate(rep) as at:
        deals.open_deal(lead, by=other_rep, at=at)
    asks(rep, lead, gate, work)
    with gate(rep):
        assert not Handoff.objects.open().exists()
        assert Task.objects.get().holder_id == other_rep.pk


def test_the_page_says_what_they_brought_and_it_opens_into_what_was_booked(rep, owner, customer, browse, gate):
    lead = customer(rep, amount=1_234_50)
    with gate(rep) as at:
        ledger.book_revenue(lead, 65_50, "GBP", by=owner, at=at, what="A service visit")
        second = deals.open_deal(lead, by=rep, at=at, title="Battery", amount=500_00)
        close.win(second, by=rep, at=at)
        close.undo(second, by=rep, at=at)
    page = browse(owner).get(f"/leads/{lead.pk}/").content.decode()
    panel = page[page.index('id="customer"') :].partition("</section>")[0]
    figures = [int(one.replace(",", "")) for one in re.findall(r"<td class=\"num\">[−]?£([0-9,]+)\.", panel)]
    assert "£1,300.00" in panel
    assert "1 deal won, 1 open" in panel
    assert "Taken back: <bdi>Battery" in panel
    assert sorted(figures) == [65, 500, 500, 1234, 1300]
    assert page.count(f'href="/sales/leads/{lead.pk}/deal/"') == 1, "there is one way to open another deal"
    mine = browse(rep).get(f"/leads/{lead.pk}/").content.decode()
    assert "£1,234.50" in mine
    assert "A service visit" not in mine[mine.index('id="customer"') :].partition("</section>")[0]
    assert "£1,300" in seen(browse(owner))


def test_a_rep_reads_what_they_brought_themselves_and_why_there_is_no_more(rep, other_rep, owner, customer, browse):
    customer(other_rep)
    page = seen(browse(rep))
    assert "Brought by you, net" in page
    assert "What colleagues’ deals brought is for them, an owner and a manager to read." in page
    assert f"<bdi>{other_rep.name}</bdi>" in page, "with whom it is, everybody reads"
    assert "£100" not in page
    page = seen(browse(owner))
    assert ("Brought, net" in page, "£100" in page, "colleagues" in page) == (True, True, False)


def test_the_list_pages_by_key_narrows_and_costs_no_more_for_ten_than_for_one(rep, other_rep, customer, browse, gate):
    client = browse(rep)

    def cost():
        with CaptureQueriesContext(connection) as spent:
            page = seen(client)
        return len(spent), page.count('<th scope="row">')

    assert "No customers yet" in seen(client)
    customer(rep, "Person 0")
    one, few = cost()
    for n in range(1, 10):
        customer(rep if n % 2 else other_rep, f"Person {n}")
    ten, more = cost()
    assert (few, more, ten <= one) == (1, 10, True)
    assert seen(client, "?is=mine").count('<th scope="row">') == 6
    assert seen(client, "?q=person 7").count('<th scope="row">') == 1
    with gate(rep) as at:
        for n in range(10, PAGE + 4):
            lead = deals.open_deal(
                receive(rep.workspace, [Capture(email=f"p{n}@x.example", name=f"Person {n}")], at=at)[0].lead,
                by=rep, at=at, amount=1,
            )  # fmt: skip
            close.win(Deal.objects.get(pk=lead.pk), by=rep, at=at)
    first = seen(client)
    onward = re.search(r'hx-get="(\?after=[^"]+)"', first).group(1)
    names = re.findall(r"<bdi>(Person \d+)</bdi>", first + seen(client, onward))
    assert (len(names), len(set(names))) == (PAGE + 4, PAGE + 4)
