"""The order of the list of leads while other rules come into force."""

import html
from copy import deepcopy
from datetime import timedelta

import pytest

from funnel.leads.actions import touch
from funnel.overview.paging import PAGE
from funnel.scoring import changing
from funnel.scoring.models import Basis, LeadScore
from funnel.scoring.rules import default_rules
from tests.funnel.overview.people import came
from tests.funnel.overview.test_leads import MORE, names

PEOPLE = PAGE * 2 + 3


@pytest.fixture
def busy(rep, gate, work):
    """Three pages of people, each with an engagement of their own, in the same order by any half-life."""
    with gate(rep) as at:
        for number, lead in enumerate(came(rep, at, *[f"Ann{one} Bell" for one in range(PEOPLE)], channel="flyer")):
            for day in range(number % 5 + 1):
                touch(lead, "call", at=at, occurred_at=at - timedelta(days=day, minutes=number))
    work()


@pytest.fixture
def switch(owner, gate, work):
    """Rules by which points fade in a week and S counts from another day come into force."""

    def switch():
        with gate(owner) as at:
            before, at = Basis.objects.get(in_force=True), at + timedelta(days=30)
            changing.save_draft({**deepcopy(default_rules()), "half_life_days": 7}, by=owner, at=at)
            changing.publish(again=False, why="", by=owner, at=at)
        work(at=at + timedelta(minutes=1))
        with gate(owner):
            now = Basis.objects.get(in_force=True)
        assert (now.half_life, now.epoch) != (before.half_life, before.epoch)
        assert now.pk != before.pk

    return switch


@pytest.mark.parametrize("part", [True, False], ids=["part", "page"])
@pytest.mark.parametrize("order", ["engagement", "fit", "engagement&fit=A", "fit&band=A", "newest&fit=A"])
def test_going_on_after_other_rules_came_into_force_shows_everybody_once(rep, browse, busy, switch, order, part):
    client, headers = browse(rep), {"HX-Request": "true"} if part else {}
    answer, seen = client.get(f"/leads/?order={order}", headers=headers), []
    for number in range(5):
        seen += names(answer)
        if not (following := MORE.search(answer.content.decode())):
            break
        if not number:
            switch()
        answer = client.get(html.unescape(following[1]), headers=headers)
    assert len(seen) == len(set(seen)) == PEOPLE


def test_going_on_begins_anew_where_the_last_one_has_no_score_by_the_rules_in_force(rep, gate, browse, busy, switch):
    client = browse(rep)
    answer = client.get("/leads/?order=engagement")
    following, first = html.unescape(MORE.search(answer.content.decode())[1]), names(answer)
    switch()
    with gate(rep):
        LeadScore.objects.in_force().filter(lead__name=first[-1]).delete()
    assert names(client.get(following))[:5] == first[:5]
