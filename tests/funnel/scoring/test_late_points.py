"""What is scored late, after its past was judged again."""

from __future__ import annotations

import pytest

from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.outbox import actions as outbox
from funnel.outbox.models import Effect, State
from funnel.scoring import changing
from funnel.scoring.models import RuleVersion
from tests.funnel.scoring.test_changing import points_of, publish, rules, sound

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("back", [False, True])
def test_what_was_judged_with_the_past_before_its_turn_came_counts_once_by_later_versions_too(gate, owner, work, back):
    with gate(owner) as at:
        (got,) = receive(owner.workspace, [Capture(email="late@scored.example")], at=at)
    work()
    with gate(owner) as at:
        late = touch(got.lead, "form", at=at)
        Effect.objects.filter(event=late).update(state=State.STUCK)
    publish(gate, owner, work, rules(half_life_days=3), again=True)
    publish(gate, owner, work, rules(half_life_days=5))
    if back:
        with gate(owner) as at:
            changing.go_back(RuleVersion.objects.get(number=2), by=owner, at=at)
        work()
    with gate(owner) as at:
        assert points_of()[late.pk, "form"] == 10
        outbox.try_again(Effect.objects.get(event=late).pk, at=at)
    work()
    with gate(owner):
        assert points_of()[late.pk, "form"] == 10
    sound()


def counted():
    """What each event earned by each rule, as the rules in force count it."""
    found = {}
    for version in changing.in_force().version.chain():
        for key, points in points_of(version).items():
            found[key] = found.get(key, 0) + points
    return found


def test_what_waited_all_the_while_a_version_was_in_force_counts_once_that_is_gone_back_to(gate, owner, work):
    with gate(owner) as at:
        (got,) = receive(owner.workspace, [Capture(email="late@scored.example")], at=at)
    work()
    with gate(owner) as at:
        late = touch(got.lead, "form", at=at)
        Effect.objects.filter(event=late).update(state=State.STUCK)
    publish(gate, owner, work, rules(half_life_days=3))
    with gate(owner) as at:
        changing.go_back(RuleVersion.objects.get(number=1), by=owner, at=at)
    work()
    with gate(owner) as at:
        outbox.try_again(Effect.objects.get(event=late).pk, at=at)
    work()
    with gate(owner) as at:
        assert counted()[late.pk, "form"] == 10
        changing.go_back(RuleVersion.objects.get(number=2), by=owner, at=at)
    work()
    with gate(owner):
        assert counted()[late.pk, "form"] == 10
    sound()


def test_what_was_scored_before_a_version_counts_by_no_new_rule_of_it_when_that_is_gone_back_to(gate, owner, work):
    with gate(owner) as at:
        (got,) = receive(owner.workspace, [Capture(email="early@scored.example")], at=at)
        ride, late = touch(got.lead, "sat_in_our_car", at=at), touch(got.lead, "form", at=at)
        Effect.objects.filter(event=late).update(state=State.STUCK)
    work()
    more = rules()
    more["engagement"].append({"key": "rode", "group": "", "kind": "sat_in_our_car", "points": 7})
    publish(gate, owner, work, more)
    publish(gate, owner, work, rules(half_life_days=3))
    with gate(owner) as at:
        changing.go_back(RuleVersion.objects.get(number=2), by=owner, at=at)
    work()
    with gate(owner):
        assert (ride.pk, "rode") not in counted()
        assert counted()[late.pk, "form"] == 10
    sound()
