"""What a rule asks for is met by what leads have, however either of them was written."""

from __future__ import annotations

import html

import pytest
from django.urls import reverse

from funnel.handoff.conditions import all_hold
from funnel.handoff.models import RoutingRule
from funnel.leads.fields import define
from funnel.leads.models import Company, Lead
from funnel.scoring.models import RuleDraft
from tests.funnel.overview.test_routing import EMPTY

ANN = {"name": "Ann", "email": "ann@bell.example", "phone": "01632 960142"}


def text(answer):
    return html.unescape(answer.content.decode())


@pytest.fixture
def rows(owner, api, browse, work):
    """The rows of a person's fit or engagement, after a rule of ours came into force."""

    def rows(of, rule, *acts, **values):
        page, keyed = browse(owner), api(owner)
        sent = {"points": "30", "group": "", "reason": "", **rule}
        assert page.post(f"{reverse('rule-add')}?of={of}", sent).status_code == 302
        page.post(reverse("rules-publish"), {"again": "", "why": ""})
        work()
        lead = keyed.post("leads/", ANN | values).json()["id"]
        for act in acts:
            assert keyed.post(f"leads/{lead}/touches/", act).status_code == 201
        work()
        shown = text(page.get(f"/leads/{lead}/"))
        head = "What we know</th>" if of == "fit" else "What they did</th>"
        return shown[shown.index(head) :].partition("</tbody>")[0]

    return rows


@pytest.mark.parametrize(
    ("when", "value", "says"),
    [
        ("is", "01632 960142", "Phone is +441632960142"),
        ("one_of", "(01632) 960-143\n0044 1632 960142", "Phone is one of +441632960143, +441632960142"),
        ("contains", "01632", "Phone contains “01632”"),
        ("contains", "+44 1632", "Phone contains “+441632”"),
        ("contains", "960142", "Phone contains “960142”"),
    ],
)
def test_a_phone_number_is_found_as_it_is_dialled_here(rows, when, value, says):
    assert says in rows("fit", {"field": "phone", "when": when, "value": value})


@pytest.mark.parametrize(
    ("when", "value", "says"),
    [("is", "01632", "“01632” is no whole phone number."), ("contains", "mobile", "Write digits of a phone number"),
     ("contains", "0", "Write digits of a phone number")],
)  # fmt: skip
def test_what_no_phone_number_can_meet_is_told(owner, gate, browse, when, value, says):
    sent = {"field": "phone", "when": when, "value": value, "points": "5"}
    answer = browse(owner).post(reverse("rule-add"), sent)
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["value"])
    assert says in text(answer)
    with gate(owner):
        assert not RuleDraft.objects.exists()


def test_who_gets_a_lead_is_told_by_a_phone_number_as_it_is_dialled_here(owner, rep, gate, browse):
    for how, value, kept in (("contains", "01632", "01632"), ("one_of", "01632 960142", "+441632960142")):
        sent = {"name": how, "field-0": "phone", "is-0": how, "value-0": value, "target": f"member-{rep.pk}"}
        assert browse(owner).post(reverse("routing-add"), EMPTY | sent).status_code == 302
        with gate(owner):
            rule = RoutingRule.objects.get(name=how)
            assert rule.conditions[0]["value"] == [kept]
            assert all_hold(rule.conditions, Lead(phone="+441632960142"), "")
            assert not all_hold(rule.conditions, Lead(phone="+441633960142"), "")


@pytest.mark.parametrize("address", ["ann@mailinator.com", "ann@Ann.MAILINATOR.com"])
def test_a_throw_away_address_is_none_of_a_firms_own_in_whatever_part_of_the_domain_it_is(rows, owner, gate, address):
    held = rows("fit", {"field": "email", "when": "disposable"}, email=address)
    assert "E-mail is a throw-away address" in held
    assert "at a domain of its own" not in held
    with gate(owner):
        assert not Company.objects.exists()


@pytest.mark.parametrize("said", ["paid_search", "Paid search", "PAID-SEARCH"])
def test_a_channel_is_found_however_an_integration_spells_it(rows, said):
    touch = {"kind": "visit", "source": {"channel": said}}
    assert "Visited us, from Paid search (2)" in rows("engagement", {"kind": "visit", "channel": "paid_search"}, touch)


def test_a_rule_says_a_channel_as_it_was_written(rows, owner, api, browse, work):
    """What sources say without case is how it is kept; people read it as somebody wrote it."""
    api(owner).post("leads/", {"email": "ben@cray.example", "source": {"channel": "Google Ads"}})
    work()
    rule, touch = {"kind": "visit", "channel": "google_ads"}, {"kind": "visit", "source": {"channel": "GOOGLE ads"}}
    assert "Visited us, from Google Ads (2)" in rows("engagement", rule, touch)
    assert "Visited us, from Google Ads" in text(browse(owner).get(reverse("rules")))


@pytest.mark.parametrize(
    ("label", "kind", "asked", "value", "says"),
    [
        ("Firm", "choice", {"when": "one_of", "value": "bell, inc\ncray"}, "Bell, Inc",
         "Firm is one of “Bell, Inc”, Cray"),
        ("Since", "date", {"when": "range", "low": "2026-01-31"}, "2026-02-01", "Since is 31 Jan 2026 or later"),
        ("Since", "date", {"when": "range", "low": "2026-01-31", "high": "2026-02-01"}, "2026-02-01",
         "Since is 31 Jan 2026 to 1 Feb 2026"),
        ("Debt", "number", {"when": "range", "low": "-9,5", "high": "-1"}, "-9.50", "Debt is -9.5 to -1"),
        ("Debt", "number", {"when": "range", "low": "10", "high": "25"}, "25.0", "Debt is 10 to 25"),
        ("Debt", "number", {"when": "range", "low": "10"}, "10", "Debt is 10 or more"),
        ("Debt", "number", {"when": "is", "value": "50.0"}, "50", "Debt is 50"),
        ("Van", "yes_no", {"when": "is", "value": "no"}, False, "Van is No"),
        ("Town", "text", {"when": "one_of", "value": "Wells\nBATH"}, "bath", "Town is one of Wells, BATH"),
        ("Town", "text", {"when": "blank"}, "", "Town is not known"),
    ],
)  # fmt: skip
def test_a_field_of_ones_own_is_asked_in_its_own_kind(owner, gate, rows, label, kind, asked, value, says):
    with gate(owner) as at:
        choices = ["Bell, Inc", "Cray"] if kind == "choice" else []
        define(label, kind, choices=choices, by=owner, at=at)
    field = label.lower()
    assert f"<td>{says}<" in rows("fit", {"field": f"fields.{field}", **asked}, fields={field: value})


@pytest.mark.parametrize(
    ("kind", "asked", "value"),
    [
        ("number", {"when": "range", "low": "10", "high": "25"}, "9.99"),
        ("number", {"when": "range", "low": "10", "high": "25"}, "25.01"),
        ("number", {"when": "range", "high": "-1"}, "0"),
        ("date", {"when": "range", "low": "2026-01-31"}, "2026-01-30"),
        ("date", {"when": "range", "low": "2026-01-31", "high": "2026-02-01"}, "2026-02-02"),
        ("number", {"when": "range", "low": "-5"}, ""),
        ("text", {"when": "one_of", "value": "Bath\nWells"}, "Bathford"),
        ("text", {"when": "is", "value": "Bath"}, ""),
        ("text", {"when": "contains", "value": "bath"}, "Wells"),
        ("text", {"when": "filled"}, ""),
        ("text", {"when": "blank"}, "Bath"),
        ("yes_no", {"when": "blank"}, False),
        ("yes_no", {"when": "is", "value": "yes"}, False),
    ],
)
def test_who_is_beside_what_is_asked_gets_no_points_for_it(owner, gate, rows, kind, asked, value):
    with gate(owner) as at:
        define("Own", kind, by=owner, at=at)
    assert "<td>Own " not in rows("fit", {"field": "fields.own", **asked}, fields={"own": value})


@pytest.mark.parametrize(("address", "free"), [("ann@GMail.com", True), ("ann@gmail.example", False)])
def test_a_free_mail_address_is_told_from_a_firms(rows, address, free):
    held = rows("fit", {"field": "email", "when": "free_mail"}, email=address)
    assert ("E-mail is a free-mail address" in held, "at a domain of its own" in held) == (free, not free)
