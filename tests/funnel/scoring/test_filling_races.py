"""A basis is filled while others score and publish: they wait for each other in one order, and nobody for ever."""

import time

import pytest

from funnel.handoff import handlers as handing
from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.models import LeadQuerySet
from funnel.leads.receiving import receive
from funnel.outbox.models import Effect, State
from funnel.scoring import changing
from funnel.scoring import handlers as filling
from funnel.scoring.models import Basis
from funnel.scoring.rules import default_rules
from funnel.workspaces.gate import tenant
from tests.racing import race

pytestmark = pytest.mark.postgres


@pytest.fixture
def tried(transactional_db, owner, gate, work):
    """A lead that was scored, and a draft whose basis nobody has begun to fill."""
    with gate(owner) as at:
        lead = receive(owner.workspace, [Capture(email="a@one.example")], at=at)[0].lead
    work()
    with gate(owner) as at:
        changing.save_draft({**default_rules(), "half_life_days": 3}, by=owner, at=at)
        changing.try_out(again=True, by=owner, at=at)
        touch(lead, "page_view", at=at)
    return owner.workspace


def due(handler):
    return list(Effect.objects.filter(handler=handler, state=State.DUE))


def run(workspace, handler, name, after=0.0):
    def ran():
        time.sleep(after)
        with tenant(workspace, write=True) as at:
            return handler(due(name), at)

    return ran


def test_who_scores_and_who_fills_wait_in_one_order(tried, monkeypatch):
    locked = LeadQuerySet.locked

    def slowly(self, ids, *related):
        found = locked(self, ids, *related)
        time.sleep(0.6)
        return found

    monkeypatch.setattr(LeadQuerySet, "locked", slowly)
    scored, filled = race([run(tried, handing.score, "score"), run(tried, filling.fill_basis, "fill_basis", after=0.3)])
    assert scored is None
    assert isinstance(filled, list), filled


def test_who_publishes_and_who_fills_wait_in_one_order(tried, owner, monkeypatch):
    hold = changing.hold

    def slowly(workspace, *, alone=False):
        hold(workspace, alone=alone)
        time.sleep(0.6)

    monkeypatch.setattr(changing, "hold", slowly)

    def publish():
        with tenant(tried, write=True) as at:
            return changing.publish(again=True, why="", by=owner, at=at)

    published, filled = race([publish, run(tried, filling.fill_basis, "fill_basis", after=0.3)])
    assert isinstance(published, Basis), published
    assert isinstance(filled, list), filled
