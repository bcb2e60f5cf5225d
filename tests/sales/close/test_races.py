"""Many programs at one deal: opened once, won once, booked once."""

from __future__ import annotations

import time

import pytest

from funnel.ledger.models import Revenue
from funnel.outbox.models import Event
from sales.close import actions as close
from sales.deals.models import Deal
from tests.racing import race

RACERS = 16


@pytest.fixture
def deal(transactional_db, owner, deal_with):
    return deal_with(owner)


def posts(keyed, path, bodies):
    return [one.status_code for one in race([lambda body=body: keyed.post(path, body) for body in bodies])]


def test_one_external_id_is_one_deal_whichever_lead_it_names(transactional_db, owner, api, catch, gate):
    leads = [str(catch(owner, name).pk) for name in ("Ann Bell", "Bob Ray")]
    bodies = [{"lead": leads[n % 2], "external_id": "7"} for n in range(RACERS)]
    assert sorted(posts(api(owner), "deals/", bodies)) == [200] * (RACERS - 1) + [201]
    with gate(owner):
        assert Deal.objects.count() == Event.objects.filter(kind="deal_opened").count() == 1


def test_a_deal_won_many_times_at_once_is_booked_once(deal, owner, api, gate):
    bodies = [{"amount": str(n % 2 + 5)} for n in range(RACERS)]
    statuses = posts(api(owner), f"deals/{deal.pk}/win/", bodies)
    assert (statuses.count(200), statuses.count(409)) == (RACERS // 2, RACERS // 2)
    with gate(owner):
        assert Revenue.objects.get().amount == Deal.objects.get().amount
        assert Event.objects.filter(kind="deal_won").count() == 1


@pytest.mark.postgres
def test_without_the_lock_and_the_comparing_the_race_shows(deal, owner, api, gate, monkeypatch):
    """The negative control: read the deal, then write it; several wins are booked."""

    def unlocked(deal, by):
        now = Deal.objects.select_related("lead__workspace", "lead__holder", "holder__user").get(pk=deal.pk)
        time.sleep(0.3)
        return now

    def unguarded(self, to, *, at, by, occurred_at, **also):
        Deal.objects.filter(pk=self.pk).update(stage=to, **also)
        return True

    monkeypatch.setattr(close, "locked", unlocked)
    monkeypatch.setattr(Deal, "move", unguarded)
    monkeypatch.setattr(close, "follow", lambda *args, **kwargs: None)
    posts(api(owner), f"deals/{deal.pk}/win/", [{"amount": "5"}] * 4)
    with gate(owner):
        assert Revenue.objects.count() > 1
