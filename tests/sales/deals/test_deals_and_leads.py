"""A lead's stage follows its deals, and the ledger holds what was won, once."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.models import GiveBackReason, Handoff, Outcome
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.leads.stages import Stage
from funnel.ledger.models import Revenue
from funnel.people import leaving
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import Deal, DealStage, LostReason


@pytest.fixture
def lead(owner, gate):
    with gate(owner) as at:
        return receive(owner.workspace, [Capture(name="Ann Bell", email="ann@bell.example")], at=at)[0].lead


def stage(lead, gate):
    with gate(lead.workspace):
        now = Lead.objects.get(pk=lead.pk)
        return now.stage, now.holder_id, now.customer_since is not None


def booked(lead, gate):
    with gate(lead.workspace):
        return list(Revenue.objects.filter(lead=lead).order_by("recorded_at").values_list("amount", flat=True))


def facts_hold(workspace):
    told = StringIO()
    call_command("check_facts", stdout=told)
    return json.loads(told.getvalue())


def test_a_deal_takes_a_lead_to_sales_and_its_stages_lead_it_on(lead, rep, gate):
    with gate(rep) as at:
        deal = deals.open_deal(lead, by=rep, at=at, amount=120_00)
    assert stage(lead, gate) == (Stage.QUALIFIED, rep.pk, False)
    with gate(rep) as at:
        deals.move(deal, DealStage.NEGOTIATION, by=rep, at=at)
    assert stage(lead, gate)[0] == Stage.NEGOTIATION
    with gate(rep) as at:
        deals.open_deal(lead, by=rep, at=at)
    assert stage(lead, gate)[0] == Stage.NEGOTIATION


def test_a_win_books_revenue_once_and_makes_a_customer(lead, rep, gate, work):
    with gate(rep) as at:
        deal = deals.open_deal(lead, by=rep, at=at, amount=120_00)
        close.win(deal, by=rep, at=at)
        close.win(deal, by=rep, at=at, amount=120_00)
        with pytest.raises(close.AlreadyWon):
            close.win(deal, by=rep, at=at, amount=99_00)
    assert stage(lead, gate) == (Stage.CUSTOMER, rep.pk, True)
    assert booked(lead, gate) == [120_00]
    work()
    facts_hold(lead.workspace)


def test_a_win_that_is_undone_is_as_if_it_had_not_been(lead, rep, gate):
    with gate(rep) as at:
        deal = deals.open_deal(lead, by=rep, at=at, amount=120_00, stage=DealStage.DEMO)
        close.win(deal, by=rep, at=at)
    with gate(rep) as at:
        close.undo(deal, by=rep, at=at)
    assert stage(lead, gate) == (Stage.DEMO, rep.pk, False)
    assert booked(lead, gate) == [120_00, -120_00]
    with gate(rep) as at:
        close.win(deal, by=rep, at=at, amount=99_00)
        with pytest.raises(close.TooLate):
            close.undo(deal, by=rep, at=at + timedelta(days=2))
    assert sum(booked(lead, gate)) == 99_00


@pytest.mark.parametrize("won", [True, False])
def test_what_is_taken_back_after_its_holder_left_is_held_by_somebody_who_is_here(
    won, lead, rep, other_rep, owner, gate, browse
):
    """Whoever has the customer goes on with the deal; where nobody has the lead, whoever takes it back."""
    with gate(rep) as at:
        deal = deals.open_deal(lead, by=rep, at=at, amount=120_00)
        if won:
            close.win(deal, by=rep, at=at)
        else:
            close.lose(deal, reason=LostReason.objects.first(), by=rep, at=at)
    with gate(owner) as at:
        leaving.remove(rep, by=owner, at=at, successor=other_rep)
    assert browse(owner).post(reverse("sales:deal-undo", args=[deal.pk])).status_code == 302
    with gate(owner):
        deal = Deal.objects.get(pk=deal.pk)
        assert (deal.is_open, deal.holder_id) == (True, (other_rep if won else owner).pk)
    assert stage(lead, gate) == (Stage.QUALIFIED, deal.holder_id, False)


def test_a_second_win_keeps_the_customer_when_the_first_is_undone(lead, rep, gate):
    with gate(rep) as at:
        first = deals.open_deal(lead, by=rep, at=at, amount=10_00)
        close.win(first, by=rep, at=at)
        second = deals.open_deal(lead, by=rep, at=at, amount=20_00)
        close.win(second, by=rep, at=at)
        close.undo(first, by=rep, at=at)
    assert stage(lead, gate) == (Stage.CUSTOMER, rep.pk, True)
    with gate(rep) as at:
        close.undo(second, by=rep, at=at)
    assert stage(lead, gate) == (Stage.QUALIFIED, rep.pk, False)


def test_the_earliest_win_makes_the_customer_in_whatever_order_they_are_recorded(lead, rep, gate):
    def since():
        return Lead.objects.get(pk=lead.pk).customer_since

    with gate(rep) as at:
        later, earlier = (deals.open_deal(lead, by=rep, at=at, amount=10_00) for _ in range(2))
        close.win(later, by=rep, at=at, occurred_at=at - timedelta(days=10))
        assert since() == at - timedelta(days=10)
        close.win(earlier, by=rep, at=at, occurred_at=at - timedelta(days=60))
        assert since() == at - timedelta(days=60)
        close.undo(earlier, by=rep, at=at)
        assert since() == at - timedelta(days=10)
        Lead.objects.filter(pk=lead.pk).update(customer_since=at - timedelta(days=90))
        close.undo(later, by=rep, at=at)
        assert since() == at - timedelta(days=90)


def test_a_lost_deal_cools_the_lead_and_the_promised_day_brings_it_back(lead, rep, gate, work):
    with gate(rep) as at:
        deal = deals.open_deal(lead, by=rep, at=at)
        later = LostReason.objects.get(key="later")
        close.lose(deal, reason=later, by=rep, at=at, until=at + timedelta(days=40), note="After the move")
    assert stage(lead, gate) == (Stage.LOST, None, False)
    work()
    work(timezone.now() + timedelta(days=39))
    assert stage(lead, gate)[0] == Stage.LOST
    work(timezone.now() + timedelta(days=41))
    with gate(rep):
        waiting = Handoff.objects.open().get(lead=lead)
        assert "After the move" in waiting.card["why"]


def test_a_customer_stays_one_when_a_later_deal_is_lost(lead, rep, gate):
    with gate(rep) as at:
        close.win(deals.open_deal(lead, by=rep, at=at, amount=10_00), by=rep, at=at)
        again = deals.open_deal(lead, by=rep, at=at)
        close.lose(again, reason=LostReason.objects.get(key="price"), by=rep, at=at)
    assert stage(lead, gate) == (Stage.CUSTOMER, rep.pk, True)


def test_a_win_after_a_loss_reopens_and_a_loss_after_a_win_is_refused(lead, rep, gate):
    with gate(rep) as at:
        deal = deals.open_deal(lead, by=rep, at=at, amount=10_00)
        price = LostReason.objects.get(key="price")
        close.lose(deal, reason=price, by=rep, at=at)
        close.win(deal, by=rep, at=at, occurred_at=at - timedelta(days=400))
        with pytest.raises(close.AlreadyWon):
            close.lose(deal, reason=price, by=rep, at=at)
    with gate(rep):
        assert Lead.objects.get(pk=lead.pk).customer_since < lead.received_at
    assert stage(lead, gate)[:2] == (Stage.CUSTOMER, rep.pk)


def test_what_was_offered_to_the_one_who_opens_a_deal_counts_as_taken(lead, rep, other_rep, gate):
    with gate(rep) as at:
        handoff.open_for([lead], why={lead.pk: "Asked"}, workspace=lead.workspace, at=at, to=rep)
        with pytest.raises(handoff.NotYours):
            deals.open_deal(lead, by=other_rep, at=at)
    with gate(rep) as at:
        deals.open_deal(lead, by=rep, at=at)
        assert Handoff.objects.get(lead=lead).outcome == Outcome.ACCEPTED


def test_a_manager_opens_a_deal_past_anothers_offer(lead, rep, other_rep, manager, gate):
    with gate(rep) as at:
        handoff.open_for([lead], why={lead.pk: "Asked"}, workspace=lead.workspace, at=at, to=rep)
        deals.open_deal(lead, by=manager, at=at, holder=other_rep)
        assert Handoff.objects.get(lead=lead).outcome == Outcome.OVERTAKEN
    assert stage(lead, gate)[:2] == (Stage.QUALIFIED, other_rep.pk)


def test_giving_a_lead_back_loses_its_open_deals(lead, rep, gate):
    with gate(rep) as at:
        deal = deals.open_deal(lead, by=rep, at=at)
        handoff.give_back(lead, reason=GiveBackReason.objects.get(key="no-budget"), by=rep, at=at)
        deal.refresh_from_db()
        assert (deal.stage, deal.reason) == (DealStage.LOST, "No budget at present")
    assert stage(lead, gate)[:2] == (Stage.NURTURING, None)


def test_a_deal_goes_with_the_lead_that_is_passed_on(lead, rep, other_rep, gate, work):
    with gate(rep) as at:
        deal = deals.open_deal(lead, by=rep, at=at)
        passing.pass_lead(Lead.objects.get(pk=lead.pk), to=other_rep, by=rep, at=at, reason="Away")
    work()
    with gate(rep):
        assert Deal.objects.get(pk=deal.pk).holder_id == other_rep.pk


def test_a_lead_that_is_set_aside_takes_its_open_deals_along(lead, rep, api, gate, work):
    with gate(rep) as at:
        deals.open_deal(lead, by=rep, at=at, amount=120_00)
    assert api(rep).post(f"leads/{lead.pk}/disqualify/", {"reason": "Spam"}).status_code == 200
    with gate(rep):
        assert list(Deal.objects.values_list("stage", "reason")) == [(DealStage.LOST, "Spam")]
    work()
    facts_hold(lead.workspace)
