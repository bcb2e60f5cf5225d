"""The targets' page: a year in one table."""

from __future__ import annotations

from datetime import date

from django.db import connection
from django.test.utils import CaptureQueriesContext

from sales.targets.actions import set_target
from sales.targets.models import Target


def cell(month, member=None):
    return f"t-{month}-{member.pk.hex if member else 'all'}"


def test_a_year_is_set_in_one_table_and_an_empty_cell_takes_back(manager, rep, other_rep, browse, gate):
    client = browse(manager)
    asked = {cell("2026-11"): "120,000", cell("2026-11", rep): "66000.50", cell("2026-12", other_rep): "54 000"}
    assert client.post("/sales/targets/?year=2026", asked).status_code == 302
    with gate(manager):
        assert set(Target.objects.values_list("month", "member", "amount")) == {
            (date(2026, 11, 1), None, 120_000_00), (date(2026, 11, 1), rep.pk, 66_000_50),
            (date(2026, 12, 1), other_rep.pk, 54_000_00),
        }  # fmt: skip
    page = client.get("/sales/targets/?year=2026").content.decode()
    assert 'value="66,000.50"' in page
    assert "£174,000" in page
    client.post("/sales/targets/?year=2026", {cell("2026-12", other_rep): "54000"})
    with gate(manager):
        assert [one.member_id for one in Target.objects.all()] == [other_rep.pk]


def test_what_is_no_amount_is_said_at_its_cell_and_nothing_is_kept(owner, rep, browse, gate):
    answer = browse(owner).post("/sales/targets/?year=2026", {cell("2026-11"): "10", cell("2026-12", rep): "1,2,3"})
    assert answer.status_code == 422
    assert "Write an amount like 1200.50." in answer.content.decode()
    with gate(owner):
        assert not Target.objects.exists()


def test_a_year_that_is_none_is_this_one(owner, browse):
    for year in ("", "x", "0000", "٢٠٢٦", "99999", "1999"):
        assert browse(owner).get(f"/sales/targets/?year={year}").status_code == 200


def test_more_people_ask_no_more_queries(owner, rep, other_rep, manager, browse, gate):
    client = browse(owner)

    def queries():
        with CaptureQueriesContext(connection) as asked:
            client.get("/sales/targets/?year=2026")
        return len(asked)

    queries()
    before = queries()
    with gate(owner) as at:
        for one in (rep, other_rep, manager):
            set_target(date(2026, 3, 1), 5_00, member=one, by=owner, at=at)
    assert queries() == before
