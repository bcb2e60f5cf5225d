"""Products and quotes over the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from funnel.workspaces.models import Workspace
from sales.deals.models import Deal
from sales.negotiation.models import Product, Quote, QuoteCounter

pytestmark = pytest.mark.django_db
LINE = {"text": "Panels", "quantity": "14", "unit_price": "128.00", "discount": "0", "tax_rate": "0"}


@pytest.fixture
def deal(deal_with, rep):
    return deal_with(rep, amount=11_400_00)


def body(deal, *lines, **also):
    return {"deal": str(deal.pk), "lines": list(lines) or [LINE], **also}


def test_a_quote_answers_with_its_totals_and_sending_gives_number_and_address(deal, rep, api, gate):
    key = api(rep)
    battery = {"text": "Battery", "quantity": 1, "unit_price": "3950.00", "discount": "5", "tax_rate": "20"}
    until = (timezone.localdate() + timedelta(days=14)).isoformat()
    made = key.post("quotes/", body(deal, LINE, battery, currency="GBP", valid_until=until))
    assert made.status_code == 201, made.content
    quote = made.json()
    assert quote["totals"] == {
        "before": "5742.00", "discount": "197.50", "net": "5544.50", "tax": "750.50", "total": "6295.00",
        "taxes": [
            {"rate": "0", "net": "1792.00", "tax": "0.00"}, {"rate": "20", "net": "3752.50", "tax": "750.50"},
        ],
    }  # fmt: skip
    assert (quote["state"], quote["number"], quote["url"]) == ("draft", "", "")
    sent = key.post(f"quotes/{quote['id']}/send/")
    assert sent.status_code == 200, sent.content
    told = sent.json()
    assert told["number"] == f"Q-{timezone.localdate().year}-0001"
    assert told["url"].startswith("http")
    assert len(told["digest"]) == 64
    assert told["totals"] == quote["totals"]
    assert key.get(f"quotes/{quote['id']}/").json() == told
    assert key.post(f"quotes/{quote['id']}/send/").status_code == 409
    with gate(rep):
        now = Deal.objects.get(pk=deal.pk)
        assert (now.stage, now.amount) == ("negotiation", 5544_50)


WRONG = {
    "less than nothing of something": ({"quantity": "-1"}, "quantity"),
    "nothing of something": ({"quantity": "0"}, "quantity"),
    "more discount than there is": ({"discount": "101"}, "discount"),
    "a price of nothing": ({"unit_price": "0"}, "unit_price"),
    "a number without end": ({"unit_price": "1e1000000"}, "unit_price"),
    "no number": ({"quantity": "sNaN"}, "quantity"),
    "infinity": ({"unit_price": "Infinity"}, "unit_price"),
    "thirteen digits": ({"unit_price": "1234567890123"}, "unit_price"),
    "a third digit of a penny": ({"unit_price": "1.505"}, "unit_price"),
    "another currency": ({"currency": "EUR"}, "currency"),
    "a total of one's own": ({"net": "1.00"}, "net"),
    "yes for a number": ({"quantity": True}, "quantity"),
    "no text": ({"text": " "}, "text"),
    "no price": ({"unit_price": None}, "unit_price"),
    "no such product": ({"product": "01a2021b-dfa2-739f-9a3b-c1eb364f59f9"}, "product"),
}


@pytest.mark.parametrize(("change", "field"), WRONG.values(), ids=WRONG)
def test_a_line_that_makes_no_sense_is_named_and_nothing_is_kept(change, field, deal, rep, api, gate):
    answer = api(rep).post("quotes/", body(deal, LINE, LINE | change))
    assert answer.status_code == 400, answer.content
    assert list(answer.json()["errors"]) == [f"lines.1.{field}"]
    with gate(rep):
        assert not Quote.objects.exists()


QUOTES = {
    "yen in halves": ({"currency": "JPY", "lines": [LINE | {"unit_price": "1.50"}]}, "lines.0.unit_price"),
    "no currency": ({"currency": "XXQ"}, "currency"),
    "a day that has passed": ({"valid_until": "2020-01-01"}, "valid_until"),
    "no day": ({"valid_until": "2026-02-30"}, "valid_until"),
    "a day that is too far": ({"valid_until": "2999-01-01"}, "valid_until"),
    "no lines": ({"lines": []}, "lines"),
    "too many lines": ({"lines": [LINE] * 101}, "lines"),
    "more than can be booked": ({"lines": [LINE | {"quantity": "9999999", "unit_price": "99999999"}]}, "lines"),
    "a net of one's own": ({"net": "1.00"}, "net"),
    "an id that is none": ({"deal": "7"}, "deal"),
}


@pytest.mark.parametrize(("change", "field"), QUOTES.values(), ids=QUOTES)
def test_a_quote_that_makes_no_sense_is_refused(change, field, deal, rep, api, gate):
    answer = api(rep).post("quotes/", body(deal) | change)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["errors"]
    with gate(rep):
        assert not Quote.objects.exists()


def test_a_total_of_ones_own_counts_for_nothing(deal, rep, api):
    """Bad input 90."""
    key = api(rep)
    reckoned = key.post("quotes/", body(deal)).json()["totals"]
    own = body(deal, LINE | {"total": "1.00"}, total="1.00", totals={"net": "1.00", "total": {"more": []}})
    answer = key.post("quotes/", own)
    assert answer.status_code == 201, answer.content
    assert answer.json()["totals"] == reckoned
    assert key.get(f"quotes/{answer.json()['id']}/").json()["totals"] == reckoned


@pytest.mark.parametrize(
    ("currency", "price", "net", "tax"), [("JPY", "333", "333", "27"), ("KWD", "1.005", "1.005", "0.080")]
)
def test_each_currency_has_its_own_digits(currency, price, net, tax, deal, rep, api):
    line = LINE | {"quantity": "1", "unit_price": price, "tax_rate": "8"}
    totals = api(rep).post("quotes/", body(deal, line, currency=currency)).json()["totals"]
    assert (totals["net"], totals["tax"]) == (net, tax)


def test_today_is_the_last_day_where_the_business_is(deal, rep, api, owner):
    # Kiritimati's day is ahead of London's for most of it, Honolulu's behind.
    for zone in ("Pacific/Kiritimati", "Pacific/Honolulu"):
        Workspace.objects.filter(pk=owner.workspace_id).update(time_zone=zone)
        today = timezone.localdate(timezone=Workspace.objects.get(pk=owner.workspace_id).zone)
        made = api(rep).post("quotes/", body(deal, valid_until=today.isoformat()))
        assert made.status_code == 201, zone
        passed = (today - timedelta(days=1)).isoformat()
        assert api(rep).post("quotes/", body(deal, valid_until=passed)).status_code == 400, zone


def test_a_colleagues_deal_is_read_and_not_quoted(deal, other_rep, api, gate):
    assert api(other_rep).post("quotes/", body(deal)).status_code == 403
    with gate(other_rep):
        assert not Quote.objects.exists()
        assert not QuoteCounter.objects.exists()


def test_another_business_sees_no_deal_to_quote(deal, outsider, api):
    assert api(outsider).post("quotes/", body(deal)).status_code == 404


def test_a_known_product_answers_200_and_stays_as_it_is(owner, api, gate):
    key = api(owner)
    roof = {"name": "Roof", "prices": {"GBP": "128.00", "JPY": "24000"}, "external_system": "shop", "external_id": 7}
    made = key.post("products/", roof)
    assert (made.status_code, made.json()["prices"]) == (201, {"GBP": "128.00", "JPY": "24000"})
    again = key.post("products/", roof | {"name": "Another"})
    assert (again.status_code, again.json()) == (200, made.json())
    changed = key.patch(f"products/{made.json()['id']}/", {"prices": {"GBP": "130"}, "archived": True})
    assert changed.json()["prices"] == {"GBP": "130.00"}
    assert changed.json()["archived"]
    assert key.get("products/?external_id=7").json()["results"] == [changed.json()]
    with gate(owner):
        assert Product.objects.count() == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"prices": {"JPY": "1.50"}},
        {"prices": {"GBP": "0"}},
        {"prices": {"QQQ": "1"}},
        {"prices": {"gbp": "1", "GBP": "2"}},
        {"tax_rate": "101"},
        {"external_system": "shop"},
        {"price": "5"},
    ],
)
def test_a_product_that_makes_no_sense_is_refused(wrong, owner, api, gate):
    assert api(owner).post("products/", {"name": "Roof"} | wrong).status_code == 400
    with gate(owner):
        assert not Product.objects.exists()


def test_a_line_takes_name_price_and_tax_from_its_product(deal, owner, api):
    key = api(owner)
    made = key.post("products/", {"name": "Roof", "prices": {"GBP": "100"}, "tax_rate": "20"}).json()
    line = key.post("quotes/", body(deal, {"product": made["id"]})).json()["lines"][0]
    assert (line["text"], line["unit_price"], line["tax_rate"], line["quantity"]) == ("Roof", "100.00", "20", "1")
    dollars = key.post("quotes/", body(deal, {"product": made["id"]}, currency="USD"))
    assert dollars.json()["errors"] == {"lines.0.unit_price": "Roof has no price in USD."}


def test_a_line_without_a_rate_takes_the_usual_one_and_where_nobody_has_said_one_it_is_asked_for(
    deal, owner, api, gate
):
    key = api(owner)
    own = {name: LINE[name] for name in ("text", "quantity", "unit_price")}
    answer = key.post("quotes/", body(deal, LINE, own))
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["errors"] == {"lines.1.tax_rate": "Say the rate; write 0 where there is none."}
    with gate(owner):
        assert not Quote.objects.exists()
    assert key.post("quotes/", body(deal, LINE | {"tax_rate": "5"})).status_code == 201
    assert key.post("quotes/", body(deal, own)).json()["lines"][0]["tax_rate"] == "5"
    key.post("products/", {"name": "Roof", "prices": {"GBP": "100"}, "tax_rate": "20"})
    lines = key.post("quotes/", body(deal, own, LINE)).json()["lines"]
    assert [one["tax_rate"] for one in lines] == ["20", "0"]


def test_a_list_costs_the_same_for_one_and_for_ten(deal, owner, api):
    key = api(owner)

    def cost(path):
        key.get(path)
        with CaptureQueriesContext(connection) as asked:
            assert key.get(path).json()["results"]
        return len(asked)

    def add():
        key.post("quotes/", body(deal))
        key.post("products/", {"name": "Roof", "prices": {"GBP": "5"}})

    add()
    one = [cost(path) for path in ("quotes/", "products/")]
    for _ in range(9):
        add()
    assert [cost(path) for path in ("quotes/", "products/")] <= one
    first = key.get("quotes/?page_size=4").json()
    rest = key.get(first["next"].partition("/api/v1/")[2]).json()
    assert len({row["id"] for row in first["results"] + rest["results"]}) == 8
    assert key.get("quotes/?state=sent").json()["results"] == []
    assert len(key.get(f"quotes/?state=draft&deal={deal.pk}").json()["results"]) == 10
    assert key.get("quotes/?state=lost").status_code == 400
