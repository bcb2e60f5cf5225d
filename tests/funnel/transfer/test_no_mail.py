"""Who asked another program for no mail gets none from Baton either."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from funnel.leads.models import Lead, Suppression
from funnel.leads.suppressing import suppression_of
from funnel.outbox.models import Event
from funnel.workspaces.models import Member

from .conftest import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rep")]


def targets(desk: Any) -> dict[str, str]:
    """What each column is taken for."""
    form = desk.client.get(reverse("import", args=[desk.pk])).context["form"]
    return {line.name: line.target for line in form.lines}


def kept_from_mail(gate: Any, member: Member) -> dict[str, str]:
    """Whose address gets no mail, and why."""
    with gate(member):
        found = {one.email[:3]: suppression_of(one.workspace_id, one.email) for one in Lead.objects.all()}
    return {name: one.why for name, one in found.items() if one}


@pytest.mark.parametrize(
    ("name", "values", "target"),
    [
        ("Do Not Email", ["Yes", "No"], "no_mail"),
        ("Email Opt Out", ["1", "0"], "no_mail"),
        ("Unsubscribed from all email", ["TRUE", ""], "no_mail"),
        ("opt_out", ["true", "perhaps"], "no_mail"),
        ("emailAddressIsOptedOut", ["1", "0"], "no_mail"),
        ("UNSUB_TIME", ["2024-02-01 10:00:00", ""], "no_mail"),
        ("Status", ["Unsubscribed", "Active"], "no_mail"),
        ("Bounced", ["yes", "no"], "bounced"),
        ("Invalid email address", ["true", "false"], "bounced"),
        ("Do Not Call", ["Yes", "No"], "fields.do_not_call"),
        ("phoneNumberIsOptedOut", ["1", "0"], "fields.phonenumberisoptedout"),
        ("UNSUB_REASON", ["Too many", "NORMAL"], "fields.unsub_reason"),
        ("Marketing emails bounced", ["1", "0"], ""),
        ("Status", ["Active", "Lost"], "stage"),
    ],
)
def test_columns_that_say_it_are_known(desk: Any, name: str, values: list[str], target: str) -> None:
    one = desk()
    one.upload(text_of(["E-mail", name], [[f"p{place}@oak.example", value] for place, value in enumerate(values)]))
    assert targets(one)[name] == target


def test_whoever_opted_out_elsewhere_is_kept_from_mail(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    rows = [
        ["ann@oak.example", "TRUE", "", "Ann"], ["ben@oak.example", "false", "Yes", "Ben"],
        ["cat@oak.example", "", "no", "Cat"], ["dan@oak.example", "perhaps", "", "Dan"], ["", "yes", "", "Eve"],
    ]  # fmt: skip
    one.upload(text_of(["E-mail", "Email Opt Out", "Bounced", "External ID"], rows))
    assert "1\N{NO-BREAK SPACE}row says neither yes nor no" in one.page
    one.choose()
    assert "“<bdi>perhaps</bdi>”: “perhaps” says neither yes nor no." in one.page
    assert "2 of them get no mail of marketing’s from then on" in one.page
    assert "1 wants no mail and has no address" in one.page
    with gate(owner):
        assert not Suppression.objects.exists()
    one.bring_in()
    assert kept_from_mail(gate, owner) == {"ann": "unsubscribed", "ben": "bounced"}
    with gate(owner):
        told = Event.objects.filter(kind__in=["unsubscribed", "bounced"]).values_list("lead__email", "kind")
        assert sorted(told) == [
            ("", "unsubscribed"), ("ann@oak.example", "unsubscribed"), ("ben@oak.example", "bounced"),
        ]  # fmt: skip
        page = reverse("lead", args=[Lead.objects.get(email="ann@oak.example").pk])
    assert "says that they want no more mail" in one.client.get(page).content.decode()


def test_who_wants_no_mail_and_has_no_address_is_noted_once_on_their_page(desk: Any, gate: Any, owner: Member) -> None:
    header = ["External ID", "Email Opt Out", "Bounced", "Full name"]
    for city in ("Rome", "Bonn"):
        one = desk()
        one.upload(text_of([*header, "City"], [["7", "yes", "", "Eve", city], ["8", "", "yes", "Fay", city]]))
        one.choose(to_4="new")
        said = "1 wants no mail and has no address, so it is noted on their timeline."
        assert (said in one.page) == (city == "Rome")
        one.bring_in()
    with gate(owner):
        assert list(Event.objects.filter(kind="unsubscribed").values_list("lead__name", flat=True)) == ["Eve"]
        assert not Suppression.objects.exists()
        page = reverse("lead", args=[Lead.objects.get(name="Eve").pk])
    assert "says that they want no more mail" in one.client.get(page).content.decode()


def test_a_known_lead_is_kept_from_mail_and_no_list_takes_it_back(desk: Any, gate: Any, owner: Member) -> None:
    def bring(said: str) -> dict[str, int]:
        one = desk()
        one.upload(text_of(["E-mail", "Unsubscribed"], [["ann@oak.example", said]]))
        one.choose(to_1="no_mail")
        if "ann@oak.example" in one.page:
            assert ("no mail any more" in one.page) == (said == "1")
        one.bring_in()
        return {what: count for what, count in one.one.counts.items() if count}

    assert bring("0") == {"rows": 1, "new": 1}
    assert kept_from_mail(gate, owner) == {}
    assert bring("1") == {"rows": 1, "changed": 1}
    assert kept_from_mail(gate, owner) == {"ann": "unsubscribed"}
    for said in ("0", "", "1"):
        assert bring(said) == {"rows": 1, "same": 1}
        assert kept_from_mail(gate, owner) == {"ann": "unsubscribed"}
    with gate(owner):
        assert Event.objects.filter(kind="unsubscribed").count() == 1
