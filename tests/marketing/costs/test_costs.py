"""Costs entered by hand: in their period, on their campaign and channel, taken back; and what they say of leads."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.ledger import actions as ledger
from funnel.ledger.models import Cost
from marketing.campaigns.actions import settle, start_campaign
from marketing.campaigns.models import Campaign, Placement
from marketing.channels.models import Channel
from marketing.costs.actions import spend
from marketing.reports.figures import CAMPAIGN, CHANNEL, Figures, brought, summed, whole
from sales.close import actions as close
from sales.deals import actions as deals

pytestmark = pytest.mark.django_db


@pytest.fixture
def spring(owner, gate):
    with gate(owner) as at:
        return start_campaign(Campaign(workspace=owner.workspace, name="Lower bills"), by=owner, at=at)


@pytest.fixture
def enter(marketer, browse):
    """Fill in the form."""

    def entered(channel, campaign, /, **also):
        day = also.pop("day", date.today().isoformat())  # noqa: DTZ011
        chosen = {"channel": channel.pk, "campaign": campaign.pk if campaign else "", "currency": "GBP"}
        return browse(marketer).post(reverse("marketing:cost-add"), {"amount": "10", "day": day, **chosen, **also})

    return entered


def text(client, place, *args):
    page = client.get(place if place.startswith("/") else reverse(place, args=args)).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def channel(key):
    return Channel.objects.get(key=key)


def test_a_cost_stands_on_its_campaign_at_once_and_is_taken_back(owner, marketer, spring, enter, browse, gate):
    with gate(owner):
        radio = channel("radio")
    answer = enter(radio, spring, amount="1,234.50", what="30 spots")
    assert answer["Location"] == reverse("marketing:campaign", args=[spring.pk]) + "#money"
    page = text(browse(marketer), "marketing:campaign", spring.pk)
    assert "Show the 1 row behind £1,234.50" in page
    assert "30 spots" in page
    with gate(owner):
        cost = Cost.objects.get()
        assert (cost.amount, cost.source.channel, cost.source.campaign) == (123450, "radio", "Lower bills")
        assert not Placement.objects.to_look_at().exists()
    browse(marketer).post(reverse("marketing:cost-back", args=[cost.pk]))
    assert "Nothing spent and nothing won yet" in text(browse(marketer), "marketing:campaign", spring.pk)
    again = browse(marketer).post(reverse("marketing:cost-back", args=[cost.pk]), follow=True).content.decode()
    assert "This has been taken back already." in again
    with gate(owner):
        assert list(Cost.objects.order_by("recorded_at").values_list("amount", flat=True)) == [123450, -123450]


def test_a_cost_goes_to_the_campaign_that_was_chosen_even_if_its_names_mean_another(owner, spring, enter, gate, work):
    with gate(owner) as at:
        other = start_campaign(Campaign(workspace=owner.workspace, name="Other"), by=owner, at=at)
        receive(owner.workspace, [Capture(email="a@b.example", channel="radio", campaign="lower bills")], at=at)
    work()
    with gate(owner) as at:
        settle(Placement.objects.get(), channel=channel("radio"), campaign=other, by=owner, at=at)
        radio = channel("radio")
    for _ in range(2):
        assert enter(radio, spring).status_code == 302
    work()
    with gate(owner):
        figures = summed(brought(None, CAMPAIGN, member=owner), CAMPAIGN)
        assert (figures[spring.pk].cost, figures[other.pk].cost) == (20_00, 0)


WRONG = [
    ({"amount": "8,60"}, "Write an amount like 1,200.50."),
    ({"amount": "-5"}, "Write an amount above 0."),
    ({"amount": "1e1000000"}, "Write an amount like 1,200.50."),
    ({"amount": "9999999999999"}, "This is more than can be booked."),
    ({"amount": "5.005"}, "GBP has 2 digits after the point."),
    ({"day": "2099-01-01"}, "This day is still to come; enter what was spent."),
    ({"day": "2026-02-30"}, "This is no date; write it like 2026-11-17."),
    ({"currency": "EUR"}, "Choose one from the list."),
    ({"channel": "0"}, "Choose one from the list."),
    ({"campaign": "nothing"}, "Choose one from the list."),
]


def test_what_can_t_be_a_cost_is_said_at_its_field_and_nothing_is_kept(owner, enter, gate):
    with gate(owner):
        radio = channel("radio")
    for said, sentence in WRONG:
        answer = enter(radio, None, **said)
        assert (answer.status_code, sentence in answer.content.decode()) == (422, True), said
    with gate(owner):
        assert not Cost.objects.exists()


def test_a_cost_in_another_currency_needs_a_rate_of_its_day(owner, enter, gate, browse, marketer):
    with gate(owner) as at:
        radio = channel("radio")
        ledger.set_rate("EUR", Decimal("0.5"), from_day=at.date(), by=owner, at=at)
        yesterday = (at - timedelta(days=2)).date().isoformat()
    refused = enter(radio, None, currency="EUR", day=yesterday)
    assert (refused.status_code, "There is no rate for EUR" in refused.content.decode()) == (422, True)
    enter(radio, None, currency="EUR", amount="9")
    page = text(browse(marketer), "marketing:money")
    assert "£4.50 €9" in page


@pytest.fixture
def quarter(owner, rep, spring, gate, work):
    """Four who came by two channels, two customers of which one came long ago, and costs then and now."""
    with gate(owner) as at:
        long_ago = at - timedelta(days=400)
        captures = [
            Capture(email="a@one.example", channel="radio", campaign="Lower bills"),
            Capture(email="b@one.example", channel="radio", campaign="Lower bills"),
            Capture(email="c@one.example", channel="flyer"),
            Capture(email="d@one.example", channel="radio", campaign="Lower bills", occurred_at=long_ago),
        ]
        leads = [one.lead for one in receive(owner.workspace, captures, at=at)]
    work()
    with gate(owner) as at:
        for lead, amount in ((leads[0], 900_00), (leads[3], 50_00)):
            close.win(deals.open_deal(lead, by=rep, at=at, amount=amount), by=rep, at=at)
        for key, campaign, amount, when in (
            ("radio", spring, 300_00, at), ("radio", spring, 7_00, long_ago), ("event", None, 65_00, at)
        ):  # fmt: skip
            spend(channel(key), campaign, amount, "GBP", by=owner, at=at, occurred_at=when)
    return at


def test_every_page_says_the_same_of_money(quarter, owner, spring, gate, browse, rep):
    with gate(owner):
        now = brought(quarter - timedelta(days=1), CAMPAIGN, CHANNEL, member=owner)
        ever = summed(brought(None, CAMPAIGN, member=owner), CAMPAIGN)
        channels = summed(now, CHANNEL)
        radio, event = channels[channel("radio").pk], channels[channel("event").pk]
    assert (radio.leads, radio.customers, radio.revenue, radio.cost) == (2, 1, 900_00, 300_00)
    assert (radio.per_lead, radio.per_customer, radio.back) == (150_00, 300_00, 200.0)
    assert (event.leads, event.per_lead, event.per_customer, event.back) == (0, None, None, -100.0)
    assert whole(channels.values()) == whole(summed(now, CAMPAIGN).values())
    assert (ever[spring.pk].revenue, ever[spring.pk].cost) == (950_00, 307_00)
    client = browse(owner)
    home = text(client, "/marketing/?period=month")
    assert "2 became" not in home
    assert "1 became customer so far: £900 won for £365 spent" in home
    assert "£307" in text(client, "marketing:campaigns")
    page = text(client, "marketing:campaign", spring.pk)
    assert "Show the 2 rows behind £307" in page
    assert "£950" in page
    won = text(client, f"/marketing/money/?is=won&period=all&campaign={spring.pk}")
    assert won.count("£900") == won.count("£50 ") == 1
    assert "Won £950" in won
    spent = text(client, f"/marketing/money/?period=month&campaign={spring.pk}")
    assert "£7 " not in spent
    assert "Spent £300" in spent
    # A rep reads what campaigns cost, and of revenue only their own, which would say something else here.
    assert "£900" not in text(browse(rep), "/marketing/?period=month")
    assert "£900" not in text(browse(rep), "/marketing/money/?is=won")


def test_nothing_is_a_dash_and_no_figure_is_divided_by_it():
    nothing = Figures()
    assert (nothing.per_lead, nothing.per_ready, nothing.per_customer, nothing.back) == (None, None, None, None)


def test_the_pages_ask_the_same_whatever_was_spent(quarter, owner, spring, gate, browse):
    client = browse(owner)
    places = [
        "/marketing/", "/marketing/money/", "/marketing/money/?is=won", "/marketing/campaigns/",
        f"/marketing/campaigns/{spring.pk}/",
    ]  # fmt: skip

    def queries():
        counts = []
        for place in places:
            with CaptureQueriesContext(connection) as asked:
                assert client.get(place).status_code == 200
            counts.append(len(asked))
        return counts

    queries()
    before = queries()
    with gate(owner) as at:
        lead = Lead.objects.get(email="b@one.example")
        for key in ("radio", "flyer", "event", "print"):
            spend(channel(key), spring, 5_00, "GBP", by=owner, at=at, occurred_at=at)
            ledger.book_revenue(lead, 5_00, "GBP", by=owner, at=at)
    assert queries() == before


def test_the_day_of_a_cost_begins_on_the_business_s_clock(owner, enter, gate):
    with gate(owner):
        owner.workspace.time_zone = "Pacific/Auckland"
        owner.workspace.save(update_fields=["time_zone"])
        radio = channel("radio")
    enter(radio, None, day="2026-07-17")
    with gate(owner):
        assert Cost.objects.get().occurred_at == datetime.fromisoformat("2026-07-16T12:00:00+00:00")
