"""Won and lost by hand: what is asked, what is booked, and what can be taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason, Handoff, Way
from funnel.leads.models import Lead
from funnel.ledger.models import Revenue
from funnel.mail.models import Message
from funnel.templatetags.words import day, long_day
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import Deal, LostReason
from sales.queue.actions import NextStep, plan_for
from sales.queue.models import Task


def row(gate, deal):
    with gate(deal.workspace):
        return Deal.objects.filter(pk=deal.pk).values().get()


def booked(gate, member):
    with gate(member):
        return list(Revenue.objects.order_by("recorded_at", "amount").values_list("amount", flat=True))


def days(number):
    return (timezone.localdate() + timedelta(days=number)).isoformat()


def test_a_win_is_booked_and_taken_back_by_the_button_that_says_so(rep, browse, gate, deal_with):
    deal, client = deal_with(rep, amount=3_500_000), browse(rep)
    sheet = client.get(f"/sales/deals/{deal.pk}/won/?next=/sales/board/").content.decode()
    assert '<dialog class="over" id="won"' in sheet
    assert 'value="35000.00"' in sheet
    body = {"amount": "34,000.00", "on": days(-3), "reason": "The fixed price", "next": "/sales/board/"}
    answer = client.post(f"/sales/deals/{deal.pk}/won/", body)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/sales/board/")
    page = client.get("/sales/board/").content.decode()
    assert "Booked: £34,000.00 from the deal with Ann Bell." in page
    assert f'action="/sales/deals/{deal.pk}/undo/"' in page
    won = row(gate, deal)
    assert (won["stage"], won["amount"], won["reason"]) == ("won", 3_400_000, "The fixed price")
    assert timezone.localtime(won["closed_at"]).date().isoformat() == days(-3)
    assert booked(gate, rep) == [3_400_000]
    assert "Undo" in client.get(f"/sales/deals/{deal.pk}/").content.decode()
    client.post(f"/sales/deals/{deal.pk}/undo/")
    assert "Taken back." in client.get(f"/sales/deals/{deal.pk}/").content.decode()
    told = client.get(f"/leads/{deal.lead_id}/").content.decode()
    assert f"Taken back by <bdi>{rep.name}</bdi>" in told
    assert "no reason" not in told
    assert (row(gate, deal)["stage"], sum(booked(gate, rep))) == ("qualified", 0)


def test_what_ended_more_than_a_day_ago_is_not_taken_back(rep, browse, gate, deal_with):
    deal, client = deal_with(rep, amount=100), browse(rep)
    client.post(f"/sales/deals/{deal.pk}/won/", {"amount": "1", "on": days(0)})
    with gate(rep) as at:
        Deal.objects.filter(pk=deal.pk).update(decided_at=at - timedelta(hours=25))
    client.get("/sales/board/")  # says the win, with its button
    assert "/undo/" not in client.get(f"/sales/deals/{deal.pk}/").content.decode()
    before = row(gate, deal)
    client.post(f"/sales/deals/{deal.pk}/undo/")
    assert "more than a day ago" in client.get(f"/sales/deals/{deal.pk}/").content.decode()
    assert (row(gate, deal), booked(gate, rep)) == (before, [100])


@pytest.mark.parametrize(
    ("sheet", "body", "says"),
    [
        ("won", {}, "Say for how much it was won."),
        ("won", {"amount": "0"}, "Write an amount above 0."),
        ("won", {"amount": "1.005"}, "2 digits after the point"),
        ("won", {"amount": "1.200,50"}, "Write an amount like"),
        ("won", {"amount": "9" * 13}, "more than can be booked"),
        ("won", {"amount": "5", "on": "2999-01-01"}, "still to come"),
        ("won", {"amount": "5", "on": "1000-01-01"}, "too long ago"),
        ("won", {"amount": "5", "on": "soon"}, "Write a date"),
        ("lost", {"note": "x"}, "Choose why."),
        ("lost", {"reason": "whim"}, "Select a valid choice"),
        ("lost", {"reason": "later"}, "on which day to call again"),
        ("lost", {"reason": "later", "until": "2020-01-01"}, "after today"),
        ("lost", {"reason": "price", "until": "2999-01-01"}, "five years"),
    ],
)
def test_what_can_t_be_is_said_in_the_sheet_and_nothing_changes(sheet, body, says, rep, browse, gate, deal_with):
    deal = deal_with(rep)
    before = row(gate, deal)
    answer = browse(rep).post(f"/sales/deals/{deal.pk}/{sheet}/", {"on": days(0)} | body)
    text = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="{sheet}" aria-labelledby="{sheet}-title" open' in text
    assert says in text or "Choose one from the list." in text
    assert (row(gate, deal), booked(gate, rep)) == (before, [])


def test_a_win_before_the_lead_came_is_kept_and_said(rep, browse, gate, deal_with):
    client = browse(rep)
    with gate(rep) as at:
        today = rep.workspace.local(at).date()

    def win(deal, on):
        return client.post(f"/sales/deals/{deal.pk}/won/", {"amount": "5", "on": on}, follow=True).content.decode()

    old, slip = today.replace(year=today.year - 7, day=1), "is before they came to us"
    page = win(deal_with(rep), old)
    assert f"{long_day(old)} {slip} ({long_day(today)}). If that is a slip, undo it." in page
    assert slip not in win(deal_with(rep, "Ben Bell"), today)


def test_who_loses_a_deal_with_a_promised_day_reads_on_which_day_they_come_back(rep, browse, gate, deal_with):
    client = browse(rep)
    with gate(rep) as at:
        today = rep.workspace.local(at).date()
    sunday = today + timedelta(days=13 - today.weekday())
    closed = f" Nobody works on {day(sunday)}; the next working day is {day(sunday + timedelta(days=1))}."

    def lose(deal, until=sunday):
        body = {"reason": "competitor", "until": until}
        return client.post(f"/sales/deals/{deal.pk}/lost/", body, follow=True).content.decode()

    ann, back = deal_with(rep), f"has ended. Comes back to sales on {long_day(sunday)}."
    assert back + closed in lose(ann)
    ben = deal_with(rep, "Ben Bell")
    with gate(rep) as at:
        deals.open_deal(ben.lead, by=rep, at=at, title="Another")
    assert f"has ended. A next step says to call again on {long_day(sunday)}.{closed}" in lose(ben)
    cat = deal_with(rep, "Cat Bell", amount=100)
    with gate(rep) as at:
        close.win(deals.open_deal(cat.lead, by=rep, at=at, title="Another", amount=100), by=rep, at=at)
    assert back + closed in lose(cat), "a customer stays one, and comes back all the same"
    dan = deal_with(rep, "Dan Bell")
    assert "The deal with Dan Bell has ended.<" in lose(dan, "")


def test_who_loses_what_a_colleague_has_lost_meanwhile_reads_why_and_that_their_own_words_are_not_kept(
    rep, owner, browse, gate, deal_with
):
    deal = deal_with(rep)
    with gate(rep) as at:
        close.lose(deal, reason=LostReason.objects.get(key="competitor"), by=owner, at=at)
        before = Lead.objects.get().cool_until
    body = {"reason": "price", "until": days(30)}
    page = browse(rep).post(f"/sales/deals/{deal.pk}/lost/", body, follow=True).content.decode()
    assert "The deal with Ann Bell had ended before: Chose somebody else. What you wrote is not kept.<" in page
    with gate(rep):
        assert Lead.objects.get().cool_until == before
    again = browse(rep).post(f"/sales/deals/{deal.pk}/lost/", {"reason": "competitor"}, follow=True).content.decode()
    assert "The deal with Ann Bell has ended.<" in again, "the same said twice is no news"


def test_a_loss_ends_the_deal_and_the_promised_day_brings_the_lead_back(rep, browse, gate, deal_with):
    deal, client = deal_with(rep), browse(rep)
    body = {"reason": "competitor", "competitor": "Sunny Roofs", "note": "Cheaper", "until": days(30)}
    assert client.post(f"/sales/deals/{deal.pk}/lost/", body).status_code == 302
    lost = row(gate, deal)
    assert (lost["stage"], lost["reason"], lost["competitor"]) == ("lost", "Chose somebody else", "Sunny Roofs")
    with gate(rep):
        lead = Lead.objects.get(pk=deal.lead_id)
        assert (lead.stage, timezone.localtime(lead.cool_until).date().isoformat()) == ("lost", days(30))
    page = client.get(f"/sales/deals/{deal.pk}/").content.decode()
    assert "Won after all" in page
    assert client.get("/sales/deals/?is=lost").content.decode().count("Sunny Roofs") == 1
    client.post(f"/sales/deals/{deal.pk}/won/", {"amount": "50", "on": days(0)})
    assert (row(gate, deal)["stage"], booked(gate, rep)) == ("won", [50_00])
    answer = client.post(f"/sales/deals/{deal.pk}/lost/", {"reason": "price"})
    assert answer.status_code == 409
    assert "is won, so it stays as it is. Undo that first." in answer.content.decode()
    assert booked(gate, rep) == [50_00]


def test_with_another_deal_open_who_has_the_lead_is_to_call_on_the_promised_day(
    rep, other_rep, manager, browse, gate, deal_with, work
):
    deal = deal_with(rep)
    with gate(rep) as at:
        deals.open_deal(deal.lead, by=manager, at=at, title="Battery")
    client = browse(rep)
    assert "It becomes a next step." in client.get(f"/sales/deals/{deal.pk}/lost/").content.decode()
    client.post(f"/sales/deals/{deal.pk}/lost/", {"reason": "later", "until": days(30)})
    with gate(rep):
        step = Task.objects.get()
        assert (step.holder, step.what) == (rep, "Call again: promised for this day")
        assert timezone.localtime(step.due_at).date().isoformat() == days(30)
        assert Lead.objects.get().stage == "qualified"
    assert "Call again: promised for this day" in client.get("/sales/").content.decode()
    work(step.due_at + timedelta(minutes=1))
    with gate(rep):
        assert Message.objects.get(kind="task").to_email == rep.email
        assert not Handoff.objects.exists(), "sales has them already"


def test_without_a_promised_day_a_loss_beside_another_deal_plans_nothing(rep, browse, gate, deal_with):
    deal = deal_with(rep)
    with gate(rep) as at:
        deals.open_deal(deal.lead, by=rep, at=at, title="Battery")
    browse(rep).post(f"/sales/deals/{deal.pk}/lost/", {"reason": "price"})
    with gate(rep):
        assert not Task.objects.exists()


def test_a_page_that_stands_there_gets_the_sheet_alone(rep, browse, deal_with):
    deal = deal_with(rep)
    sheet = browse(rep).get(f"/sales/deals/{deal.pk}/lost/?next=/sales/board/", HTTP_HX_REQUEST="true").content.decode()
    assert sheet.lstrip().startswith("<dialog")
    assert 'href="/sales/board/" data-close' in sheet


def test_of_two_days_that_were_said_in_turn_the_latter_counts_though_both_have_passed(
    rep, gate, deal_with, work, monkeypatch
):
    """The worker was away for both, and does one thing after the other."""
    monkeypatch.setattr("funnel.outbox.drain.CLAIM", 1)
    deal = deal_with(rep)
    with gate(rep) as at:
        reasons = {one.key: one for one in LostReason.objects.all()}
        close.lose(deal, reason=reasons["later"], by=rep, at=at, until=at + timedelta(days=3))
        close.undo(deal, by=rep, at=at)
        close.lose(deal, reason=reasons["price"], by=rep, at=at)
    work(at + timedelta(days=200))
    with gate(rep):
        assert not Handoff.objects.exists(), "nobody is offered for the day that counts no more"
        assert Lead.objects.get().cool_until is None


def test_whoever_is_lost_is_said_to_be_with_marketing_in_one_way(rep, browse, gate, deal_with):
    deal, client = deal_with(rep), browse(rep)
    client.post(f"/sales/deals/{deal.pk}/lost/", {"reason": "price"})
    page = client.get(f"/leads/{deal.lead_id}/").content.decode()
    assert ("Lost · With marketing" in page, "With nobody" in page) == (True, False)
    assert "With marketing until" in page


def test_beside_a_lost_deal_stands_no_step_that_the_leads_page_has_no_more(rep, browse, gate, deal_with):
    deal, client = deal_with(rep), browse(rep)
    with gate(rep) as at:
        plan_for(rep, deal.lead, NextStep("Book the site visit", at + timedelta(days=2)), by=rep, at=at)
    page, lost = f"/sales/deals/{deal.pk}/", f"/sales/deals/{deal.pk}/lost/"
    assert "Book the site visit" in client.get(page).content.decode()
    client.post(lost, {"reason": "price"})
    shown = client.get(page).content.decode()
    assert ("Lost on" in shown, "Book the site visit" in shown, "<dt>Next</dt>" in shown) == (True, False, False)
    client.post(f"/sales/deals/{deal.pk}/undo/")
    assert "Book the site visit" in client.get(page).content.decode(), "whoever takes the loss back has it again"


@pytest.mark.parametrize("how", ["won after all", "undone and won", "given back and won", "a customer’s, undone"])
def test_a_promised_day_ends_with_the_loss_or_the_wait_that_it_was_for(how, rep, browse, gate, deal_with, work):
    deal = deal_with(rep, amount=100)
    with gate(rep) as at:
        reason, until = LostReason.objects.get(key="later"), at + timedelta(days=30)
        if how == "given back and won":
            why = GiveBackReason.objects.get(way=Way.DATE)
            handoff.give_back(Lead.objects.get(), reason=why, by=rep, at=at, until=until)
            deal = deals.open_deal(Lead.objects.get(), by=rep, at=at, amount=100)
        elif how == "a customer’s, undone":
            close.win(deal, by=rep, at=at)
            other = deals.open_deal(Lead.objects.get(), by=rep, at=at, title="Another", amount=100)
            close.undo(close.lose(other, reason=reason, by=rep, at=at, until=until), by=rep, at=at)
        else:
            close.lose(deal, reason=reason, by=rep, at=at, until=until)
        if how == "undone and won":
            close.undo(deal, by=rep, at=at)
        close.win(deal, by=rep, at=at)
    page = browse(rep).get(f"/leads/{deal.lead_id}/").content.decode()
    assert "Comes back to sales" not in page.partition('id="timeline"')[0]
    work(at + timedelta(days=31))
    with gate(rep):
        assert not Handoff.objects.filter(outcome="").exists(), "nobody is offered who has bought"
