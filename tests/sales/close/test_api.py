"""Winning and losing over the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from funnel.ledger.models import Revenue
from funnel.outbox.models import Event
from sales.deals.models import Deal


def booked(gate, member):
    with gate(member):
        return list(Revenue.objects.order_by("recorded_at").values_list("amount", flat=True))


def row(gate, member, deal):
    with gate(member):
        return Deal.objects.filter(pk=deal.pk).values().get()


def test_a_deal_is_won_once_for_one_amount(rep, api, gate, deal_with):
    deal, keyed = deal_with(rep), api(rep)
    assert keyed.post(f"deals/{deal.pk}/win/", {}).status_code == 400
    body = {"amount": "99.90", "occurred_at": "2026-02-01T10:00:00Z", "reason": "The price"}
    first = keyed.post(f"deals/{deal.pk}/win/", body)
    assert (first.status_code, first.json()["stage"], first.json()["reason"]) == (200, "won", "The price")
    assert first.json()["closed_at"] == "2026-02-01T10:00:00Z"
    for again in (body, {"amount": "99.9"}, {}):
        answer = keyed.post(f"deals/{deal.pk}/win/", again)
        assert (answer.status_code, answer.json()) == (200, first.json())
    for other in ({"amount": "99.91"}, {"amount": "99.90", "currency": "EUR"}):
        assert keyed.post(f"deals/{deal.pk}/win/", other).status_code == 409
    assert keyed.post(f"deals/{deal.pk}/lose/", {"reason": "price"}).status_code == 409
    assert booked(gate, rep) == [99_90]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "1.001"}, "amount"),
        ({"amount": ["5"]}, "amount"),
        ({"amount": "5", "currency": "EUR"}, "currency"),
        ({"currency": "QQQ"}, "currency"),
        ({"occurred_at": "2200-01-01T00:00:00Z"}, "occurred_at"),
        ({"total": "5"}, "total"),
    ],
)
def test_a_win_that_can_t_be_is_400_and_books_nothing(body, field, rep, api, gate, deal_with):
    deal = deal_with(rep, amount=10_00)
    before = row(gate, rep, deal)
    answer = api(rep).post(f"deals/{deal.pk}/win/", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert (row(gate, rep, deal), booked(gate, rep)) == (before, [])


def test_a_win_without_a_rate_for_its_currency_is_422_and_books_nothing(rep, api, gate, deal_with):
    deal = deal_with(rep)
    before = row(gate, rep, deal)
    answer = api(rep).post(f"deals/{deal.pk}/win/", {"amount": "5", "currency": "USD"})
    assert (answer.status_code, answer.json()["field"]) == (422, "currency")
    assert (row(gate, rep, deal), booked(gate, rep)) == (before, [])


def test_a_deal_is_lost_with_a_reason_by_key_or_name_and_won_after_all(rep, api, gate, deal_with):
    deal, keyed = deal_with(rep), api(rep)
    body = {"reason": "chose SOMEBODY else", "competitor": "Sunny Roofs", "note": "Cheaper", "occurred_at": "2026-01-05T12:00:00Z"}  # fmt: skip  # noqa: E501
    lost = keyed.post(f"deals/{deal.pk}/lose/", body)
    told = lost.json()
    assert (lost.status_code, told["stage"], told["closed_at"]) == (200, "lost", "2026-01-05T12:00:00Z")
    assert (told["reason"], told["competitor"], told["note"]) == ("Chose somebody else", "Sunny Roofs", "Cheaper")
    assert keyed.post(f"deals/{deal.pk}/lose/", {"reason": "price"}).json() == told
    assert keyed.get(f"leads/{deal.lead_id}/").json()["stage"] == "lost"
    won = keyed.post(f"deals/{deal.pk}/win/", {"amount": "7", "currency": "GBP"})
    assert (won.status_code, won.json()["stage"], won.json()["competitor"]) == (200, "won", "")
    assert keyed.get(f"leads/{deal.lead_id}/").json()["stage"] == "customer"
    assert booked(gate, rep) == [7_00]


def test_the_day_to_call_again_hands_the_lead_over_then(rep, api, gate, work, deal_with):
    deal, keyed = deal_with(rep), api(rep)
    day = (datetime.now(UTC) + timedelta(days=40)).date()
    assert keyed.post(f"deals/{deal.pk}/lose/", {"reason": "later", "until": day.isoformat()}).status_code == 200
    told = keyed.get(f"leads/{deal.lead_id}/").json()
    assert told["cool_until"][:10] in (day.isoformat(), (day - timedelta(days=1)).isoformat())
    work(datetime.now(UTC) + timedelta(days=42))
    assert keyed.get(f"leads/{deal.lead_id}/").json()["stage"] == "ready"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": "whim"}, "reason"),
        ({"reason": "price", "until": "2020-01-01"}, "until"),
        ({"reason": "price", "until": "2020-02-30"}, "until"),
        ({"reason": "price", "until": "2099-01-01"}, "until"),
        ({"reason": "price", "competitor": "x" * 121}, "competitor"),
        ({"reason": "price", "occurred_at": "soon"}, "occurred_at"),
        ({"reason": "price", "amount": "1"}, "amount"),
    ],
)
def test_a_loss_that_can_t_be_is_400_and_changes_nothing(body, field, rep, api, gate, deal_with):
    deal = deal_with(rep)
    before = row(gate, rep, deal)
    answer = api(rep).post(f"deals/{deal.pk}/lose/", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert row(gate, rep, deal) == before
    with gate(rep):
        assert not Event.objects.filter(kind="deal_lost").exists()


def test_the_reasons_can_be_read(rep, api):
    told = api(rep).get("deals/reasons/").json()["results"]
    assert [one["key"] for one in told][:3] == ["price", "competitor", "later"]
    assert told[1]["asks_competitor"]
    assert told[2]["asks_date"]
