"""Before rules are published: who would become ready, and what they would have made of the past."""

from __future__ import annotations

import html
from copy import deepcopy
from datetime import timedelta

import pytest
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff.preview import becoming_ready
from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.leads.stages import Stage
from funnel.scoring import changing
from funnel.scoring.models import Basis
from funnel.scoring.rules import default_rules

pytestmark = pytest.mark.django_db


@pytest.fixture
def known(gate, owner, rep, work):
    """Six leads with company and phone who called a different number of times, one call a day, the last yesterday."""

    def made(calls, *, end=None, days=20):
        with gate(owner) as at:
            capture = Capture(name="Ann", phone=f"01632 96{Lead.objects.count():04}", company="Bell")
            (got,) = receive(owner.workspace, [capture], at=at)
            for number in range(calls):
                touch(got.lead, "call", at=at, occurred_at=at - timedelta(days=days - number))
        work()
        with gate(owner) as at:
            if end == Stage.CUSTOMER:
                Lead.objects.filter(pk=got.lead.pk).move(
                    Stage.CUSTOMER, at=at, occurred_at=at - timedelta(days=1), customer_since=at - timedelta(days=1)
                )
            elif end:
                Lead.objects.filter(pk=got.lead.pk).move(end, at=at)
        return got.lead

    return made


def rules(**changes):
    return {**deepcopy(default_rules()), **changes}


def tried(gate, owner, work, changed, *, again=False):
    with gate(owner) as at:
        changing.save_draft(changed, by=owner, at=at)
        changing.try_out(again=again, by=owner, at=at)
    work()
    with gate(owner):
        return Basis.objects.select_related("version").get(in_force=False)


def test_who_becomes_ready_and_who_no_longer_is_are_counted_and_listed(known, gate, owner, work):
    quiet, some, _ = known(0), known(1, days=1), known(3, days=4)
    then = tried(gate, owner, work, rules(ready={"A": [1], "B": [2, 3, 4], "C": [1], "D": []}))
    with gate(owner) as at:
        now = changing.in_force()
        assert then.figures["through"]
        more = set(becoming_ready(now, then, at).values_list("lead_id", flat=True))
        assert then.figures["more"] == len(more)
        assert some.pk in more
        assert quiet.pk not in more
        assert (then.figures["fewer"], then.figures["moved"], then.figures["people"]) == (0, 0, 3)
    none = tried(gate, owner, work, rules(ready={band: [] for band in "ABCD"}))
    with gate(owner):
        assert none.figures["more"] == 0


def test_only_whom_publishing_would_make_ready_is_counted_and_listed(known, gate, owner, rep, browse, work):
    """Who cools down, comes back by a touch that was agreed on, or is handed over already doesn't become ready."""
    free, cooling, agreed, over = (known(0) for _ in range(4))
    with gate(owner) as at:
        Lead.objects.filter(pk=cooling.pk).update(cool_until=at + timedelta(days=9))
        Lead.objects.filter(pk=agreed.pk).update(way_back={"way": "touch", "touch": "visit"})
        handoff.open_for([Lead.objects.get(pk=over.pk)], why={over.pk: "."}, workspace=owner.workspace, at=at)
    then = tried(gate, owner, work, rules(ready={band: [1, 2, 3, 4] for band in "ABCD"}))
    assert (then.figures["people"], then.figures["ready"], then.figures["more"]) == (4, 1, 1)
    page = browse(owner)
    assert [row["lead"].pk for row in page.get(reverse("rules-changed")).context["rows"]] == [free.pk]
    page.post(reverse("rules-publish"), {"again": ""})
    work()
    with gate(owner):
        assert [lead.pk for lead in Lead.objects.filter(waits_since__isnull=False)] == [free.pk]
    then = tried(gate, owner, work, rules(ready={band: [] for band in "ABCD"}))
    assert (then.figures["ready"], then.figures["more"], then.figures["fewer"]) == (2, 0, 1)
    shown = html.unescape(page.get("/rules/").content.decode())
    assert "<em>1 fewer lead ready</em>: 1 instead of 2." in shown
    assert "This one is handed over already and stays so, whatever cell the draft puts them in." in shown
    assert "by the draft: 0 of 4 are in ready cells." in shown


def test_customers_of_the_past_would_have_been_handed_over_by_so_many_days(known, gate, owner, work):
    early = known(5, end=Stage.CUSTOMER)
    known(0, end=Stage.CUSTOMER)
    known(4, end=Stage.LOST)
    known(0, end=Stage.LOST)
    with gate(owner) as at:
        Lead.objects.filter(pk=early.pk).update(ready_at=at - timedelta(days=10))
    then = tried(gate, owner, work, rules(ready={"A": [2, 3, 4], "B": [2, 3, 4], "C": [4], "D": []}), again=True)
    found = then.figures
    assert (found["customers"]["all"], found["customers"]["handed"], found["customers"]["both"]) == (2, 1, 1)
    assert found["customers"]["days"] == pytest.approx(10, abs=0.1), "ready with the first call, twenty days ago"
    assert (found["losses"]["all"], found["losses"]["handed"]) == (2, 1)
    assert {row["days"] for row in found["customers"]["named"]} == {10.0, None}


def test_who_asks_again_as_a_customer_was_not_handed_over_before_they_bought(known, gate, owner, rep, browse, work):
    bought = known(5, end=Stage.CUSTOMER)
    with gate(owner) as at:
        handoff.open_for([Lead.objects.get(pk=bought.pk)], why={bought.pk: "."}, workspace=owner.workspace, at=at)
    then = tried(gate, owner, work, rules(ready={band: [2, 3, 4] for band in "ABCD"}))
    assert (then.figures["customers"]["handed"], then.figures["customers"]["both"]) == (1, 0)
    assert "Never, by hand" in html.unescape(browse(owner).get("/rules/").content.decode())


def test_how_many_a_week_would_come_to_sales_and_what_they_can_take(known, gate, owner, rep, work):
    for _ in range(3):
        known(5)
    then = tried(gate, owner, work, rules(ready={band: [] for band in "ABCD"}))
    assert (then.figures["weekly"]["now"], then.figures["weekly"]["then"]) == (3, 0)
    assert then.figures["places"] == rep.weekly_leads


def test_what_is_longer_ago_is_not_tried_out(known, gate, owner, rep, manager, work):
    """Who bought or was lost ninety days ago, and of four weeks who was ready before them; a manager takes no leads."""
    bought, lost = known(5, end=Stage.CUSTOMER), known(5)
    early = known(5, days=35)
    with gate(owner) as at:
        long_ago = at - timedelta(days=91)
        Lead.objects.filter(pk=bought.pk).update(customer_since=long_ago)
        Lead.objects.filter(pk=lost.pk).move(Stage.LOST, at=at, occurred_at=long_ago)
        touch(Lead.objects.get(pk=early.pk), "page_view", at=at)
    work()
    then = tried(gate, owner, work, rules(ready={band: [2, 3, 4] for band in "ABCD"}))
    assert (then.figures["customers"]["all"], then.figures["losses"]["all"]) == (0, 0)
    assert (then.figures["weekly"]["now"], then.figures["weekly"]["then"]) == (2, 2), "the customer and who was lost"
    assert then.figures["places"] == rep.weekly_leads


def test_who_is_ready_without_having_done_anything_is_so_since_they_came(known, gate, owner, rep, work):
    known(0)
    bought = known(0, end=Stage.CUSTOMER)
    with gate(owner) as at:
        Lead.objects.filter(pk=bought.pk).update(received_at=at - timedelta(days=40), ready_at=at - timedelta(days=10))
    then = tried(gate, owner, work, rules(ready={band: [1, 2, 3, 4] for band in "ABCD"}))
    assert (then.figures["more"], then.figures["weekly"]["now"], then.figures["weekly"]["then"]) == (1, 0, 1)
    assert then.figures["customers"]["days"] == pytest.approx(30, abs=0.1)
    known(3, end=Stage.CUSTOMER)
    with gate(owner) as at:
        Lead.objects.filter(customer_since__isnull=False).update(received_at=at - timedelta(days=40))
    then = tried(gate, owner, work, rules(ready={band: [1, 2, 3, 4] for band in "ABCD"}))
    since = {row["would"][:10] for row in then.figures["customers"]["named"]}
    assert since == {(at - timedelta(days=40)).date().isoformat()}, "not only since they first called"


def test_who_would_have_been_ready_only_after_they_were_lost_is_no_false_alarm(known, gate, owner, work):
    known(5, end=Stage.LOST)
    late = known(5)
    with gate(owner) as at:
        Lead.objects.filter(pk=late.pk).move(Stage.LOST, at=at, occurred_at=at - timedelta(days=30))
    then = tried(gate, owner, work, rules(ready={band: [2, 3, 4] for band in "ABCD"}))
    losses = then.figures["losses"]
    assert (losses["all"], losses["now"], losses["handed"]) == (2, 1, 1)


def test_who_changes_cell_and_the_false_alarms_are_lists_to_open(known, gate, owner, browse, work, monkeypatch):
    monkeypatch.setattr("funnel.handoff.preview.NAMED", 1)
    mover, _ = known(1, days=1), known(0)
    lost = [known(4, end=Stage.LOST) for _ in range(2)]
    known(0, end=Stage.LOST)
    bought = [known(4, end=Stage.CUSTOMER) for _ in range(2)]
    then = tried(gate, owner, work, rules(ready={band: [2, 3, 4] for band in "ABCD"}, engagement_cuts=[1, 2, 3]))
    assert (then.figures["moved"], then.figures["losses"]["either"]) == (1, 2)
    page = browse(owner)
    shown = html.unescape(page.get("/rules/").content.decode())
    address = f"{reverse('rules-changed')}?is=moved"
    assert f'href="{address}">The 1 in another cell</a>' in shown
    assert [row["lead"].pk for row in page.get(address).context["rows"]] == [mover.pk]
    for leads, many in ((bought, "of 2 are named. What we know"), (lost, "of 2 are named.</p>")):
        assert sum(f'href="{reverse("lead", args=[one.pk])}"' in shown for one in leads) == 1
        assert f"1 {many}" in shown


def test_without_customers_whose_past_is_known_it_says_that_the_draft_cannot_be_tried_on_them(
    known, gate, owner, browse, work
):
    def said():
        then = tried(gate, owner, work, rules(half_life_days=1 if said.turn else 2))
        said.turn = not said.turn
        return then.figures["customers"]["all"], html.unescape(browse(owner).get("/rules/").content.decode())

    said.turn = False
    many, page = said()
    assert (many, "Nobody bought in the last 90 days, so the draft can’t be tried" in page) == (0, True)
    for _ in range(2):
        known(0, end=Stage.CUSTOMER)
    many, page = said()
    assert (many, "Nothing is known of what they did before they bought, so the draft can’t be" in page) == (2, True)
    known(5, end=Stage.CUSTOMER)
    many, page = said()
    assert (many, "Of 2 of them nothing is known of what they did before." in page) == (3, True)


def test_a_look_ahead_goes_slice_by_slice(known, gate, owner, work, monkeypatch):
    monkeypatch.setattr("funnel.handoff.preview.SLICE", 1)
    monkeypatch.setattr("funnel.handoff.preview.SLICE_SQLITE", 1)
    for _ in range(3):
        known(5, end=Stage.CUSTOMER)
    then = tried(gate, owner, work, rules(half_life_days=1))
    assert then.figures["through"]
    assert then.figures["customers"]["all"] == 3
