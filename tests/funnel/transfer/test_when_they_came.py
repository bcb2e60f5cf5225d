"""Whoever comes by a list without a date: no month's figures become false without a word."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.urls import reverse

from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.workspaces.models import Member

from .conftest import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rep")]
HEADER = ["E-mail", "Status", "Customer since"]
FAY, GUS, HAL = ["fay@oak.example", "Customer"], ["gus@elm.example", "Customer"], ["hal@ash.example", "Enquiry"]


def won_this_month(desk: Any) -> int:
    """What the owner's home says."""
    return int(desk.client.get(reverse("home")).context["numbers"]["won"])


def since(gate: Any, member: Member) -> dict[str, tuple[date, date | None]]:
    """When each came, and since when they are customers."""
    with gate(member):
        local = member.workspace.local
        return {
            one.email[:3]: (local(one.received_at).date(), one.customer_since and local(one.customer_since).date())
            for one in Lead.objects.all()
        }


def test_customers_without_a_date_come_in_only_with_a_word_on_since_when(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    one.upload(text_of(HEADER[:2], [FAY, GUS, HAL]))
    refused = one.choose()
    assert refused.status_code == 422
    assert list(refused.context["form"].wrong) == ["about"]
    assert "without a date, the 2\N{NO-BREAK SPACE}customers would count as this month’s" in refused.content.decode()
    assert one.choose(about="2999-01-01").status_code == one.choose(about="soon").status_code == 422
    assert one.choose(about="2022-05-01").status_code == 302
    assert "customer since 1 May 2022" in one.page
    one.bring_in()
    day = date(2022, 5, 1)
    assert since(gate, owner) == {"fay": (day, day), "gus": (day, day), "hal": (day, None)}
    assert won_this_month(one) == 0


def test_a_list_of_customers_alone_asks_since_when(desk: Any) -> None:
    one = desk()
    one.upload(text_of(["E-mail"], [["fay@oak.example"]]))
    answer = one.choose(everybody="customer")
    assert answer.status_code == 422
    assert "everybody in this file would count as this month’s" in answer.content.decode()


def test_customers_whose_date_is_blank_are_counted_before_they_come_in(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    one.upload(text_of(HEADER, [[*FAY, "2019-03-14"], [*GUS, ""], [*HAL, ""]]))
    one.choose()
    assert "1 customer comes without a date and would count as this month’s" in one.page
    assert "1\N{NO-BREAK SPACE}comes without a date, so as of today" in one.page
    one.post("import-change")
    one.choose(about="2023-01-01")
    assert "would count as this month’s" not in one.page
    one.bring_in()
    assert since(gate, owner) == {
        "fay": (date(2019, 3, 14), date(2019, 3, 14)),
        "gus": (date(2023, 1, 1), date(2023, 1, 1)),
        "hal": (date(2023, 1, 1), None),
    }


def test_who_is_here_already_keeps_when_they_came(desk: Any, gate: Any, owner: Member) -> None:
    for rows, about in (([["gus@elm.example", "Enquiry"]], "2024-01-01"), ([FAY, GUS], "2022-05-01")):
        one = desk()
        one.upload(text_of(HEADER[:2], rows))
        one.choose(about=about)
        one.bring_in()
    day = date(2022, 5, 1)
    assert since(gate, owner) == {"fay": (day, day), "gus": (date(2024, 1, 1), day)}
    with gate(owner):
        assert Lead.objects.filter(stage=Stage.CUSTOMER).count() == 2
    again = desk()
    again.upload(text_of(HEADER[:2], [FAY, GUS]))
    # The day is asked anew: those who are new since are not those of before.
    assert again.client.get(reverse("import", args=[again.pk])).context["form"].about == ""
    again.choose(about="2020-01-01")
    assert again.one.counts["same"] == 2


COLUMNS = ["E-mail", "Lifecycle Stage", "Create Date", "Became a Customer Date"]
ANN, BEN = ["ann@yew.example", "Customer", "2021-03-05", "2023-09-01"], ["ben@fir.example", "Lead", "2022-04-06", ""]


def test_since_when_somebody_is_a_customer_has_a_column_of_its_own(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    one.upload(text_of(COLUMNS, [ANN, BEN, ["cat@elm.example", "Customer", "", "2020-02-03"]]))
    one.choose()
    assert "customer since 1 Sep 2023" in one.page
    one.bring_in()
    assert since(gate, owner) == {
        "ann": (date(2021, 3, 5), date(2023, 9, 1)),
        "ben": (date(2022, 4, 6), None),
        "cat": (date(2020, 2, 3), date(2020, 2, 3)),
    }


def test_a_customer_of_too_late_a_day_is_put_right_by_a_list(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    one.upload(text_of(COLUMNS[:3], [ANN[:3], BEN[:3]]))
    one.choose()
    one.bring_in()
    assert since(gate, owner)["ann"] == (date(2021, 3, 5), date(2021, 3, 5))
    two = desk()
    two.upload(text_of(COLUMNS, [[*ANN[:3], "2019-01-01"], [BEN[0], "Customer", BEN[2], "2023-07-01"]]))
    two.choose()
    assert "a customer for longer than we knew" in two.page
    two.bring_in()
    assert two.one.counts["changed"] == 2
    assert since(gate, owner) == {
        "ann": (date(2021, 3, 5), date(2019, 1, 1)),
        "ben": (date(2022, 4, 6), date(2023, 7, 1)),
    }
    later = desk()
    later.upload(text_of(COLUMNS, [ANN]))
    later.choose()
    assert later.one.counts["same"] == 1


def test_who_is_a_customer_is_asked_where_only_their_day_is_known(desk: Any) -> None:
    one = desk()
    one.upload(text_of(["E-mail", "Customer since"], [["ann@yew.example", "2020-02-03"]]))
    answer = one.choose()
    assert answer.status_code == 422
    assert "Say who is a customer" in answer.content.decode()
    assert one.choose(everybody="customer").status_code == 302
