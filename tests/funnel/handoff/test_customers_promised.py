"""A customer who is given back stays one; a day that was promised them comes all the same."""

from datetime import timedelta

import pytest
from django.urls import reverse

from funnel.handoff.models import GiveBackReason, Handoff
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.leads.stages import Stage
from funnel.outbox.models import Event
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import LostReason
from sales.queue.actions import CALL
from sales.queue.models import Task

ANN = Capture(kind="form", email="ann@bell.example", name="Ann Bell", asks=True)


@pytest.fixture
def customer(owner, rep, other_rep, gate, work):
    """A customer of Rita's who asked for contact."""
    with gate(owner) as at:
        (got,) = receive(owner.workspace, [Capture(email=ANN.email, name=ANN.name)], at=at)
        got.lead.move(Stage.CUSTOMER, at=at, by=owner, holder=rep, customer_since=at)
        receive(owner.workspace, [ANN], at=at)
    work()
    return got.lead


def give_back(browse, rep, lead, **typed):
    return browse(rep).post(reverse("lead-give-back", args=[lead.pk]), typed, follow=True).content.decode()


def open_offers(gate, lead):
    with gate(lead.workspace):
        return [(one.offered_to.first_name, one.card["why"]) for one in Handoff.objects.open().with_lead()]


def test_a_customer_who_was_promised_a_day_comes_back_on_it_to_the_same_rep(customer, rep, browse, gate, work):
    with gate(rep) as at:
        day = (rep.workspace.local(at) + timedelta(days=40)).date()
    page = browse(rep).get(reverse("lead", args=[customer.pk])).content.decode()
    assert "Stays a customer; comes back to sales on the day that is promised" in page
    assert "With marketing for" not in page
    said = give_back(browse, rep, customer, reason="not-now", until=day.isoformat(), note="After the move")
    assert "Ann Bell is given back. Comes back to sales on" in said
    page = browse(rep).get(reverse("lead", args=[customer.pk])).content.decode()
    assert '<b class="strong">Comes back to sales on' in page
    assert open_offers(gate, customer) == []
    work(at + timedelta(days=39))
    assert open_offers(gate, customer) == []
    for _ in range(2):
        work(at + timedelta(days=42))
    ((whom, why),) = open_offers(gate, customer)
    assert whom == "Rita"
    assert why.startswith("The promised day has come.")
    assert why.endswith("After the move")
    with gate(rep):
        assert Lead.objects.get().stage == Stage.CUSTOMER


def test_without_a_day_nothing_is_said_of_a_way_back_that_there_is_not(customer, rep, browse, gate, work):
    assert "Ann Bell is given back. With Rita again." in give_back(browse, rep, customer, reason="no-answer")
    with gate(rep) as at:
        told = Event.objects.get(kind="handoff_given_back").data
        assert (told["until"], told["way"], told["nurtures"]) == ("", None, False)
    work(at + timedelta(days=400))
    assert open_offers(gate, customer) == []


def test_a_customer_s_deal_that_is_lost_until_a_day_comes_back_on_it(customer, rep, browse, gate, work):
    give_back(browse, rep, customer, reason="no-answer")
    with gate(rep) as at:
        deal = deals.open_deal(Lead.objects.get(), by=rep, at=at, amount=100)
        close.lose(deal, reason=LostReason.objects.first(), by=rep, at=at, until=at + timedelta(days=9))
    work()
    assert open_offers(gate, customer) == []
    work(at + timedelta(days=10))
    ((whom, why),) = open_offers(gate, customer)
    assert (whom, why.startswith("The promised day has come.")) == ("Rita", True)


def test_a_reason_that_was_retired_meanwhile_is_said_to_be_gone(customer, rep, browse, gate):
    with gate(rep) as at:
        GiveBackReason.objects.filter(key="no-answer").update(retired_at=at)
    assert "This reason is not there any more. Choose another." in give_back(browse, rep, customer, reason="no-answer")
    assert len(open_offers(gate, customer)) == 1


def test_a_customer_who_asked_and_was_taken_stands_on_the_desk_until_they_are_called(
    customer, rep, other_rep, owner, browse, gate
):
    with gate(rep):
        due = Handoff.objects.get().contact_due_at
    assert browse(rep).post(reverse("lead-take", args=[customer.pk])).status_code == 302
    groups = browse(rep).get(reverse("sales:desk")).context["groups"]
    assert [(row.lead.pk, row.what) for group in groups for row in group.rows] == [(customer.pk, CALL)]
    with gate(rep):
        (step,) = Task.objects.open()
        assert (step.holder, step.due_at) == (rep, due)
    browse(rep).post(reverse("sales:step-done", args=[step.pk]))
    assert browse(rep).get(reverse("sales:desk")).context["groups"] == []


@pytest.mark.parametrize(
    ("days", "says"), [(40, "Comes back to sales on"), (None, "then it is looked at again")], ids=["a day", "no day"]
)
def test_the_page_of_who_was_lost_says_whether_a_day_was_promised(owner, rep, browse, gate, work, days, says):
    with gate(rep) as at:
        (got,) = receive(owner.workspace, [Capture(email=ANN.email, name=ANN.name)], at=at)
        deal = deals.open_deal(got.lead, by=rep, at=at, amount=100)
        reason = LostReason.objects.filter(cool_days__isnull=False).first()
        close.lose(deal, reason=reason, by=rep, at=at, until=days and at + timedelta(days=days))
    page = browse(rep).get(reverse("lead", args=[got.lead.pk])).content.decode()
    assert says in page
    assert ("looked at again" in page) is not ("Comes back to sales on" in page)
