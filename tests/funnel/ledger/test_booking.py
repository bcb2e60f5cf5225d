"""Revenue and costs over the API: booked once, worth what the rates say, taken back exactly."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.leads.identity import Capture, Refused
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.ledger import actions as ledger
from funnel.ledger.models import Cost, Revenue
from funnel.outbox.models import Event
from funnel.workspaces.gate import everywhere
from sales.close import actions as close
from sales.deals import actions as deals
from tests.funnel.test_check_facts import facts


@pytest.fixture
def lead(owner, rep, gate):
    with gate(owner) as at:
        made = receive(owner.workspace, [Capture(email="ann@bell.example", external_id="A-1")], at=at)[0].lead
        Lead.objects.filter(pk=made.pk).move("working", at=at, by=owner, holder=rep)
        return made


def total(model, member, gate):
    with gate(member):
        return sum(model.objects.values_list("base_amount", flat=True))


def test_revenue_is_kept_as_it_was_sent_and_a_known_one_changes_nothing(lead, owner, rep, api, gate):
    keyed = api(owner)
    body = {
        "lead": str(lead.pk), "amount": "1200.50", "currency": "GBP", "occurred_at": "2026-11-17T09:30:00Z",
        "what": "Yearly check", "external_system": "books", "external_id": 77,
    }  # fmt: skip
    made = keyed.post("revenue/", body)
    told = made.json()
    assert made.status_code == 201
    assert {name: told[name] for name in body} == {**body, "external_id": "77"}
    assert (told["holder"], told["by"], told["deal"], told["base_amount"]) == (rep.email, owner.email, None, "1200.50")
    again = keyed.post("revenue/", {**body, "amount": "9.99", "lead": {"external_id": "A-1"}})
    assert (again.status_code, again.json()) == (200, told)
    assert keyed.get("revenue/").json() == {"results": [told], "next": None}
    with gate(owner):
        assert Event.objects.get(kind="revenue_booked", lead=lead).data["amount"] == 120050


def test_a_cost_by_its_day_counts_from_the_day_s_begin_on_the_business_s_clock(marketer, api):
    body = {"channel": "Radio", "campaign": "Spring", "amount": "820", "occurred_at": "2026-07-17", "what": "40 spots"}
    told = api(marketer).post("costs/", body).json()
    assert (told["amount"], told["occurred_at"]) == ("820.00", "2026-07-16T23:00:00Z")
    assert (told["channel"], told["campaign"], told["what"]) == ("Radio", "Spring", "40 spots")


@pytest.mark.parametrize("path", ["revenue/", "costs/"])
def test_what_is_taken_back_cancels_exactly_and_once(path, lead, owner, api, gate):
    keyed = api(owner)
    with gate(owner) as at:
        ledger.set_rate("JPY", Decimal("0.0053"), from_day=date(2026, 1, 1), by=owner, at=at)
    who = {"lead": str(lead.pk)} if path == "revenue/" else {"channel": "radio"}
    made = keyed.post(path, {**who, "amount": "98765", "currency": "jpy", "occurred_at": "2026-03-01"}).json()
    assert (made["currency"], made["base_amount"], made["corrected"]) == ("JPY", "523.45", False)
    back = keyed.post(f"{path}{made['id']}/correct/").json()
    assert (back["amount"], back["base_amount"], back["corrects"]) == ("-98765", "-523.45", made["id"])
    assert back["occurred_at"] == made["occurred_at"]
    for pk in (made["id"], back["id"]):
        assert keyed.post(f"{path}{pk}/correct/").status_code == 409
    assert [one["corrected"] for one in keyed.get(path).json()["results"]] == [False, True]
    model = Revenue if path == "revenue/" else Cost
    assert total(model, owner, gate) == 0
    assert facts()["ok"]
    with gate(owner):
        assert Event.objects.filter(kind__endswith="_booked", voided_by__kind__endswith="_corrected").count() == 1
        model.objects.filter(corrects__isnull=False).update(base_amount=-1)
    assert {one["fact"] for one in facts()["first"]} == {"base amount", "correction"}


def test_what_a_deal_booked_goes_back_only_with_its_win(lead, rep, api, gate):
    with gate(rep) as at:
        close.win(deals.open_deal(lead, by=rep, at=at, amount=100_00), by=rep, at=at)
    keyed = api(rep)
    (booked,) = keyed.get("revenue/").json()["results"]
    assert keyed.post(f"revenue/{booked['id']}/correct/").status_code == 409
    assert total(Revenue, rep, gate) == 100_00


def test_a_currency_without_a_rate_on_that_day_is_refused_and_nothing_is_booked(lead, owner, api, gate):
    keyed = api(owner)
    with gate(owner) as at:
        ledger.set_rate("EUR", Decimal("0.86"), from_day=date(2026, 6, 1), by=owner, at=at)
    body = {"lead": str(lead.pk), "amount": "10", "currency": "EUR"}
    answer = keyed.post("revenue/", {**body, "occurred_at": "2026-05-31"})
    assert (answer.status_code, answer.json()["field"]) == (422, "currency")
    assert total(Revenue, owner, gate) == 0
    assert keyed.post("revenue/", {**body, "occurred_at": "2026-06-01"}).json()["base_amount"] == "8.60"


def test_a_rate_that_is_put_right_values_what_was_booked_on_its_days_again(lead, owner, gate):
    days = [date(2026, 1, 10), date(2026, 2, 10), date(2026, 3, 10)]
    with gate(owner) as at:
        for day, rate in ((date(2026, 1, 1), "0.5"), (date(2026, 2, 1), "5"), (date(2026, 3, 1), "0.7")):
            ledger.set_rate("EUR", Decimal(rate), from_day=day, by=owner, at=at)
        for day in days:
            when = datetime(day.year, day.month, day.day, tzinfo=UTC)
            ledger.book_revenue(lead, 10_01, "EUR", by=owner, at=at, occurred_at=when)
    with gate(owner) as at:
        ledger.set_rate("EUR", Decimal("0.5"), from_day=date(2026, 2, 1), by=owner, at=at)
    with gate(owner) as at:
        worth = Revenue.objects.order_by("occurred_at").values_list("base_amount", flat=True)
        assert list(worth) == [5_00, 5_00, 7_01]
        ledger.set_rate("EUR", Decimal("99999999"), from_day=date(2026, 3, 2), by=owner, at=at)
        with pytest.raises(Refused):
            ledger.book_revenue(lead, 10**14, "EUR", by=owner, at=at)
    assert facts()["ok"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount": "-1"}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "1e1000000"}, "amount"),
        ({"amount": "sNaN"}, "amount"),
        ({"amount": "Infinity"}, "amount"),
        ({"amount": "1.005"}, "amount"),
        ({"amount": 12.5}, "amount"),
        ({"amount": "1000000000000"}, "amount"),
        ({"amount": ""}, "amount"),
        ({"currency": "JPY", "amount": "1.5"}, "amount"),
        ({"currency": "XXXX"}, "currency"),
        ({"currency": "ABC"}, "currency"),
        ({"occurred_at": "2026-02-30"}, "occurred_at"),
        ({"occurred_at": "2026-10-25T02:30:00"}, "occurred_at"),
        ({"occurred_at": "2099-01-01"}, "occurred_at"),
        ({"occurred_at": "1899-01-01"}, "occurred_at"),
        ({"external_system": "books"}, "external_system"),
        ({"what": "x" * 201}, "what"),
        ({"base_amount": "1"}, "base_amount"),
        ({"holder": "a@b.example"}, "holder"),
    ],
)
def test_what_can_t_be_booked_is_400_naming_the_field(body, field, lead, owner, api, gate):
    for path, who in (("revenue/", {"lead": str(lead.pk)}), ("costs/", {"channel": "radio"})):
        answer = api(owner).post(path, {**who, "amount": "5", **body})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    with gate(owner):
        assert not Revenue.objects.exists()
        assert not Cost.objects.exists()


@pytest.mark.parametrize("channel", ["", " ", None])
def test_a_cost_is_spent_on_a_channel_that_has_a_name(channel, owner, api, gate):
    answer = api(owner).post("costs/", {"channel": channel, "amount": "5"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["channel"])
    with gate(owner):
        assert not Cost.objects.exists()


def test_a_rep_reads_and_books_what_their_own_leads_brought(lead, owner, rep, other_rep, outsider, api, gate):
    mine = api(rep).post("revenue/", {"lead": str(lead.pk), "amount": "5", "external_id": "1"}).json()
    assert mine["holder"] == rep.email
    assert api(rep).get("revenue/").json()["results"] == [mine]
    assert api(other_rep).get("revenue/").json()["results"] == []
    refused = api(other_rep).post("revenue/", {"lead": str(lead.pk), "amount": "5"})
    assert refused.status_code == 403
    assert api(other_rep).post(f"revenue/{mine['id']}/correct/").status_code == 404
    assert api(outsider).post(f"revenue/{mine['id']}/correct/").status_code == 404
    assert api(outsider).post("revenue/", {"lead": str(lead.pk), "amount": "5"}).status_code == 404
    with everywhere():
        type(lead).objects.filter(pk=lead.pk).update(holder=other_rep)
    known = api(other_rep).post("revenue/", {"lead": str(lead.pk), "amount": "5", "external_id": "1"})
    assert known.status_code == 409
    assert total(Revenue, owner, gate) == 5_00


def test_the_list_asks_the_same_whatever_its_length(lead, owner, api, gate):
    keyed = api(owner)

    def queries():
        with CaptureQueriesContext(connection) as asked:
            assert keyed.get("revenue/").status_code == 200
            assert keyed.get("costs/").status_code == 200
        return len(asked)

    for path, who in (("revenue/", {"lead": str(lead.pk)}), ("costs/", {"channel": "radio"})):
        keyed.post(path, {**who, "amount": "5"})
    before = queries()
    for path, who in (("revenue/", {"lead": str(lead.pk)}), ("costs/", {"channel": "flyer"})):
        for _ in range(9):
            keyed.post(path, {**who, "amount": "5"})
    assert queries() == before


def test_a_moment_a_little_ahead_of_our_clock_is_taken(lead, owner, api, gate):
    with gate(owner) as at:
        soon = (at + timedelta(minutes=2)).isoformat()
    assert api(owner).post("revenue/", {"lead": str(lead.pk), "amount": "5", "occurred_at": soon}).status_code == 201
