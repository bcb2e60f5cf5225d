"""Beside a demo that fell through, on the desk, stands how it is booked again."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from sales.close import actions as close
from sales.demos import actions as demos

pytestmark = pytest.mark.django_db
AGAIN = "Book again"


@pytest.fixture
def pane(browse):
    """What stands on the desk about the lead's demos."""

    def shown(member, demo):
        page = browse(member).get(reverse("sales:desk"), {"lead": str(demo.lead_id)}).content.decode()
        found = re.search(r'<section id="demos".*?</section>', page, re.DOTALL)
        return found[0] if found else ""

    return shown


@pytest.mark.parametrize("how", ["cancelled", "missed"])
def test_a_demo_that_fell_through_is_booked_again_beside_it(how, rep, demo_of, past_demo, pane, gate, client, settings):
    demo = demo_of(rep) if how == "cancelled" else past_demo(rep)
    with gate(rep) as at:
        demos.cancel(demo, by=None, at=at) if how == "cancelled" else demos.no_show(demo, by=rep, at=at)
    shown = pane(rep, demo)
    assert f": {how}</span>" in shown
    form = reverse("sales:demo-book", args=[demo.lead_id])
    assert f'href="{form}">{AGAIN}</a>' in shown
    assert f'value="{settings.PUBLIC_URL}{demo.path}"' in shown
    assert "Who has it can choose a new time." in shown
    assert "Choose a new time" in client.get(demo.path).content.decode()


def test_once_another_is_booked_or_was_held_nothing_is_to_be_booked_again(rep, demo_of, past_demo, pane, gate):
    demo = demo_of(rep)
    with gate(rep) as at:
        demos.cancel(demo, by=None, at=at)
    assert AGAIN in pane(rep, demo)
    held = past_demo(rep, lead=demo.lead)
    assert AGAIN not in pane(rep, demo)
    with gate(rep) as at:
        demos.held(held, by=rep, at=at)
    assert pane(rep, demo) == "", "though the one that was cancelled would have come later"


def test_who_may_not_book_with_the_lead_is_offered_nothing(rep, other_rep, owner, demo_of, pane, gate):
    demo = demo_of(rep)
    with gate(rep) as at:
        demos.cancel(demo, by=None, at=at)
    for member, may in ((other_rep, False), (owner, True)):
        assert (AGAIN in pane(member, demo), demo.path in pane(member, demo)) == (may, may), member


def test_once_its_deal_is_won_nothing_is_to_be_booked_again(rep, demo_of, pane, gate):
    demo = demo_of(rep)
    with gate(rep) as at:
        demos.cancel(demo, by=None, at=at)
        close.win(demo.deal, by=rep, at=at, amount=100_00)
    assert pane(rep, demo) == ""
