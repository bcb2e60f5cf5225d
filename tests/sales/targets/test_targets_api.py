"""Targets over the API: one a month, per member and together."""

from __future__ import annotations

from datetime import date

import pytest

from sales.targets.models import Target


def test_a_target_is_set_once_a_month_per_member_and_together(manager, rep, api, gate):
    keyed = api(manager)
    for member, amount, status in ((None, "120000", 201), (rep.email, "66000.50", 201), (None, "130000", 200)):
        answer = keyed.post("targets/", {"month": "2026-11", "member": member, "amount": amount})
        assert answer.status_code == status, answer.json()
    rows = {(one["month"], one["member"], one["amount"]) for one in keyed.get("targets/").json()["results"]}
    assert rows == {("2026-11", None, "130000.00"), ("2026-11", rep.email, "66000.50")}
    assert keyed.post("targets/", {"month": "2026-11", "amount": None}).json()["amount"] is None
    with gate(manager):
        assert [one.member_id for one in Target.objects.all()] == [rep.pk]


def test_a_quarter_is_the_sum_of_its_months_and_together_the_sum_of_the_reps_unless_said(
    owner, rep, other_rep, gate, api
):
    keyed = api(owner)
    for month, member, amount in (
        ("2026-10", None, "100"), ("2026-10", rep.email, "30"), ("2026-11", rep.email, "40"),
        ("2026-11", other_rep.email, "50"),
    ):  # fmt: skip
        keyed.post("targets/", {"month": month, "member": member, "amount": amount})
    quarter = [date(2026, month, 1) for month in (10, 11, 12)]
    with gate(owner):
        assert Target.objects.of(quarter) == 190_00
        assert Target.objects.of(quarter, rep) == 70_00
        assert Target.objects.of(quarter, owner) is None
        assert Target.objects.of(quarter[2:]) is None


def test_a_rep_reads_their_own(owner, rep, other_rep, api):
    for member in (None, rep.email, other_rep.email):
        api(owner).post("targets/", {"month": "2026-11", "member": member, "amount": "5"})
    assert [one["member"] for one in api(rep).get("targets/").json()["results"]] == [rep.email]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"month": "2026-13"}, 400, "month"),
        ({"month": "Nov 26"}, 400, "month"),
        ({"month": "0001-01"}, 400, "month"),
        ({"month": "9999-12"}, 400, "month"),
        ({"amount": "-5"}, 400, "amount"),
        ({"amount": "1e1000000"}, 400, "amount"),
        ({"member": "nobody@here.example"}, 400, "member"),
        ({"currency": "EUR"}, 400, "currency"),
    ],
)
def test_what_can_t_be_a_target_is_refused_and_nothing_is_kept(body, status, field, owner, api, gate):
    answer = api(owner).post("targets/", {"month": "2026-11", "amount": "5", **body})
    assert (answer.status_code, list(answer.json()["errors"])) == (status, [field])
    with gate(owner):
        assert not Target.objects.exists()


def test_who_does_not_sell_has_no_target(owner, marketer, api):
    answer = api(owner).post("targets/", {"month": "2026-11", "member": marketer.email, "amount": "5"})
    assert (answer.status_code, answer.json()["field"]) == (422, "member")
    assert api(owner).post("targets/", {"month": "2026-11"}).status_code == 400
