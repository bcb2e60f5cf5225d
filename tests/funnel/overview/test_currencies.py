"""The owner says what other currencies are worth; what was booked follows."""

from __future__ import annotations

from datetime import date

from funnel.leads.models import Source
from funnel.ledger.actions import book_cost
from funnel.ledger.models import Cost, Rate


def test_a_rate_is_entered_put_right_and_what_was_booked_follows(owner, browse, gate):
    client = browse(owner)
    assert "None yet" in client.get("/currencies/").content.decode()
    assert client.post("/currencies/", {"currency": "eur", "rate": "0.5", "from_day": "2026-01-01"}).status_code == 302
    with gate(owner) as at:
        source = Source.objects.create(workspace=owner.workspace, channel="radio", key="radio", created_at=at)
        book_cost(source, 10_01, "EUR", workspace=owner.workspace, by=owner, at=at)
    page = client.get("/currencies/").content.decode()
    assert '<td class="num">0.5 GBP</td>' in page
    client.post("/currencies/", {"currency": "EUR", "rate": "0.86", "from_day": "2026-01-01"})
    with gate(owner):
        assert Cost.objects.get().base_amount == 8_61
        assert [(one.currency, one.from_day, one.rate) for one in Rate.objects.all()] == [
            ("EUR", date(2026, 1, 1), 86_000_000)
        ]


def test_what_is_no_rate_is_said_at_its_field_and_nothing_is_kept(owner, browse, gate):
    right = {"currency": "EUR", "rate": "0.86", "from_day": "2026-01-01"}
    for wrong, sentence in (
        ({"currency": "EURO"}, "at most 3"),
        ({"currency": "QQQ"}, "This is no currency"),
        ({"currency": "GBP"}, "This is the business’s own currency."),
        ({"rate": "0"}, "Write what one unit is worth"),
        ({"rate": "-1"}, "Write what one unit is worth"),
        ({"rate": "NaN"}, ""),
        ({"rate": "1e1000000"}, ""),
        ({"rate": "0.123456789"}, "Write at most 8 digits after the point."),
        ({"from_day": "2026-02-30"}, "This is no date"),
        ({"from_day": "0001-01-01"}, "This is too long ago or too far ahead."),
    ):
        answer = browse(owner).post("/currencies/", right | wrong)
        assert (answer.status_code, sentence in answer.content.decode()) == (422, True), wrong
    with gate(owner):
        assert not Rate.objects.exists()
