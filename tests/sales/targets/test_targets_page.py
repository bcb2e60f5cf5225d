"""The targets' page: a year in one table."""

from __future__ import annotations

import re
from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.leads.stages import Stage
from funnel.workspaces.models import Workspace
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


def test_an_owner_or_a_manager_who_sells_has_a_column_and_one_who_does_not_has_none(
    owner, manager, rep, catch, deal_with, browse
):
    def columns():
        return [one.pk for one in browse(owner).get("/sales/targets/?year=2026").context["people"]]

    assert columns() == [rep.pk]
    catch(owner, "Ann Bell", stage=Stage.WORKING, holder=owner)
    assert columns() == [owner.pk, rep.pk]
    deal_with(manager, "Ben Bell")
    assert columns() == [owner.pk, manager.pk, rep.pk]
    answer = browse(owner).post("/sales/targets/?year=2026", {cell("2026-11", owner): "5,000"}, follow=True)
    assert 'value="5,000"' in answer.content.decode()


def test_what_is_no_amount_is_said_at_its_cell_and_nothing_is_kept(owner, rep, browse, gate):
    answer = browse(owner).post("/sales/targets/?year=2026", {cell("2026-11"): "10", cell("2026-12", rep): "1,2,3"})
    assert answer.status_code == 422
    assert "Write an amount like 1,200.50." in answer.content.decode()
    with gate(owner):
        assert not Target.objects.exists()


NUMBERS = {
    ("GB", "GBP"): (
        {
            "1250.50": 125050, "1,250": 125000, "1,250.00": 125000, "1'250.00": 125000, "1 250.5": 125050, "249": 24900,
            "£1,845.50": 184550, "1,845.50 £": 184550, "gbp 12": 1200,
        },
        {
            "249,50": "like 1,200.50", "1.250,00": "like 1,200.50", "1e3": "like 1,200.50", "-5": "",
            "1.005": "2 digits", "€5": "like 1,200.50", "££5": "", "£": "",
        },
    ),
    ("DE", "EUR"): (
        {
            "1250.50": 125050, "249,50": 24950, "1.250,00": 125000, "4.019,45": 401945, "1'250.00": 125000,
            "1 250,00": 125000, "1,250.00": 125000, "1.234.567": 123456700, "66000": 6600000,
            "1.250,00 €": 125000, "€ 1250.50": 125050,
        },
        {"1,250": "“1,250” can be read in two ways. Write an amount like 1.200,50", "1.250": "two ways", "12,34,5": ""},
    ),
    ("CH", "CHF"): (
        {
            "1250.50": 125050, "1'250.00": 125000, "1’250": 125000, "1,250": 125000, "4 019.45": 401945,
            "CHF 1'250.50": 125050,
        },
        {"249,50": "like 1’200.50", "1.250,00": "like 1’200.50", "12'50": ""},
    ),
    ("JP", "JPY"): (
        {"1250": 1250, "1,250": 1250, "1 250": 1250, "￥1,250": 1250, "¥7": 7},
        {"1250.50": "whole amount", "1.250,00": "like 1,200."},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("country", "currency"), NUMBERS)
def test_amounts_are_read_as_the_country_writes_them_and_what_could_be_two_is_asked_for(
    country, currency, owner, browse, gate
):
    good, bad = NUMBERS[country, currency]
    Workspace.objects.filter(pk=owner.workspace_id).update(country=country, currency=currency)
    client, url = browse(owner), "/sales/targets/?year=2026"
    asked = {cell(f"2026-{month:02}"): said for month, said in enumerate(good, 1)}
    assert client.post(url, asked).status_code == 302
    with gate(owner):
        assert list(Target.objects.order_by("month").values_list("amount", flat=True)) == list(good.values())
    # What the page fills its fields with is read as the same.
    kept = dict(re.findall(r'name="(t-[^"]+-all)"[^>]*? value="([^"]*)"', client.get(url).content.decode()))
    assert len([one for one in kept.values() if one]) == len(good)
    assert client.post(url, kept).status_code == 302
    with gate(owner):
        assert list(Target.objects.order_by("month").values_list("amount", flat=True)) == list(good.values())
    refused = client.post(url, {cell(f"2026-{month:02}"): said for month, said in enumerate(bad, 1)})
    assert refused.status_code == 422
    assert len(refused.context["form"].errors) == len(bad)
    for (said, words), wrong in zip(bad.items(), refused.context["form"].errors.values(), strict=True):
        assert words in wrong[0], said


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
