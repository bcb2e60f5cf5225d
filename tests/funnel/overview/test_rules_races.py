"""Two people change the draft at the same instant: what either of them changed is in it."""

import time
from uuid import uuid4

import pytest
from django.urls import reverse

from funnel.overview import rules_change
from funnel.scoring import changing
from funnel.scoring.models import RuleDraft, RuleVersion
from funnel.scoring.rules import default_rules
from tests.racing import race

pytestmark = pytest.mark.postgres
ADDED = {"field": "email", "when": "contains", "points": "5", "group": "", "reason": ""}


@pytest.mark.parametrize("held", [True, False])
def test_of_two_who_add_a_rule_at_once_neither_is_lost(
    transactional_db, owner, marketer, gate, browse, monkeypatch, held
):
    def slowly():
        time.sleep(0.4)
        return uuid4()

    monkeypatch.setattr(rules_change, "uuid4", slowly)
    if not held:
        unheld = changing.to_change
        monkeypatch.setattr(changing, "to_change", lambda workspace=None: unheld())
    address = reverse("rule-add")
    pages = [(browse(owner), "farm"), (browse(marketer), "shop")]
    posts = [lambda page=page, value=value: page.post(address, {**ADDED, "value": value}) for page, value in pages]
    assert [answer.status_code for answer in race(posts)] == [302, 302]
    with gate(owner):
        added = len(RuleDraft.objects.get().rules["fit"]) - len(default_rules()["fit"])
    assert added == (2 if held else 1), "without holding the rules the later one takes the place of the other"


def test_who_publishes_twice_at_once_publishes_once(transactional_db, owner, marketer, gate, browse, work):
    with gate(owner) as at:
        changing.save_draft({**default_rules(), "half_life_days": 3}, by=owner, at=at)
    address, pages = reverse("rules-publish"), [browse(owner), browse(marketer)]
    answers = race([lambda page=page: page.post(address, {"again": "", "why": ""}) for page in pages])
    assert [answer.status_code for answer in answers] == [302, 302]
    work()
    with gate(owner):
        assert sorted(RuleVersion.objects.values_list("number", flat=True)) == [1, 2]
