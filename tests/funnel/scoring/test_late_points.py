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
