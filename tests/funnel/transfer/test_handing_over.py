"""Whether those of a list who are ready go to sales: how many, to whom, and why nobody."""

from __future__ import annotations

from typing import Any

import pytest

from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from funnel.scoring.models import RuleVersion
from funnel.transfer.models import State
from funnel.workspaces.models import Member

from .conftest import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rep")]


def _everybody_is_ready(gate: Any, member: Member) -> None:
    with gate(member):
        version = RuleVersion.objects.get()
        version.rules = {**version.rules, "ready": {band: [1, 2, 3, 4] for band in "ABCD"}}
        version.save(update_fields=["rules"])


def test_who_is_ready_is_counted_per_rep_and_handed_over_when_said(
    desk: Any, gate: Any, owner: Member, rep: Member, other_rep: Member
) -> None:
    _everybody_is_ready(gate, owner)
    one = desk()
    rows = [[f"p{number}@oak{number}.example", "Lost" if number > 4 else "Lead"] for number in range(7)]
    one.upload(text_of(["E-mail", "Status"], rows))
    one.choose()
    assert one.one.preview["ready"] == 5
    assert sorted(count for _, count in one.one.preview["shares"]) == [2, 3]
    with gate(owner):
        assert not Handoff.objects.exists()
    one.bring_in(hand_over="yes")
    assert "5 are ready and go to sales" in one.page
    with gate(owner):
        assert Handoff.objects.open().count() == 5
        given = sorted(Handoff.objects.filter(offered_to=who).count() for who in (rep, other_rep))
        assert given == [2, 3]


def test_where_nobody_is_ready_the_page_says_what_each_of_them_lacks(
    desk: Any, gate: Any, owner: Member, rep: Member
) -> None:
    with gate(owner):
        version = RuleVersion.objects.get()
        rule = {
            "key": "boss", "field": "fields.role", "when": "is", "value": "boss", "group": "", "reason": "",
            "points": version.rules["fit_bands"]["A"],
        }  # fmt: skip
        version.rules = {**version.rules, "fit": [rule], "ready": {"A": [3, 4]}}
        version.save(update_fields=["rules"])
    one = desk()
    rows = [
        ["a@oak.example", "boss", ""], ["b@oak.example", "", ""], ["c@elm.example", "", ""],
        ["d@fir.example", "boss", "Lost"],
    ]  # fmt: skip
    one.upload(text_of(["E-mail", "Role", "Status"], rows))
    one.choose(to_1="new")
    assert one.one.preview["ready"] == 0
    page = one.page.replace("\N{NO-BREAK SPACE}", " ")
    assert "Nobody of them is ready for sales, so nobody would be handed over." in page
    assert "1 fits and has done too little yet; 2 fit too little, whatever they do; 1 stays where they are" in page
    assert 'name="hand_over"' not in page


def test_without_the_word_nobody_is_handed_over(desk: Any, gate: Any, owner: Member, rep: Member) -> None:
    _everybody_is_ready(gate, owner)
    one = desk()
    one.upload(text_of(["E-mail"], [["p@oak.example"]]))
    one.choose()
    one.bring_in()
    with gate(owner):
        assert not Handoff.objects.exists()
        assert Lead.objects.filter(waits_since__isnull=False).count() == 1
    assert "wait" in one.page


def test_a_marketer_brings_in_but_hands_nobody_over(
    desk: Any, gate: Any, owner: Member, marketer: Member, rep: Member
) -> None:
    _everybody_is_ready(gate, owner)
    one = desk(marketer)
    one.upload(text_of(["E-mail"], [["p@oak.example"]]))
    one.choose()
    assert 'name="hand_over"' not in one.page
    assert one.post("import-begin", hand_over="yes").status_code == 403
    assert one.one.state == State.LOOKED
    one.bring_in()
    with gate(owner):
        assert Lead.objects.count() == 1
        assert not Handoff.objects.exists()
