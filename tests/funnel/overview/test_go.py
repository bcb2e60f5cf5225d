"""Those who are over the line and wait for a go: what it would do is said before, and what it did after."""

from datetime import timedelta
from uuid import uuid4

import pytest

from funnel.handoff.models import Handoff
from funnel.handoff.routing import begins
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.people.away import close, come_back, take_off
from funnel.templatetags.words import day
from funnel.workspaces.models import Member
from tests.conftest import make_member


def test_the_go_hands_over_those_that_were_left_in(ready, owner, gate, browse):
    page = browse(owner).get("/handoffs/").content.decode()
    assert "3 people are over the line" in page
    assert "Hand over <span data-chosen-number>3</span>" in page
    answer = browse(owner).post("/handoffs/go/", {"lead": [str(ready[0].pk), str(ready[1].pk)]}, follow=True)
    assert "2\xa0leads handed over to Rita Rep." in answer.content.decode()
    with gate(owner):
        assert set(Lead.objects.filter(stage=Stage.READY)) == set(ready[:2])
        left = Lead.objects.get(pk=ready[2].pk)
        assert left.waits_since
        assert left.stage == Stage.NURTURING


def test_a_go_that_finds_nobody_says_that_they_are_in_the_pool(ready, owner, rep, gate, browse):
    with gate(owner):
        Member.objects.update(weekly_leads=0)
    page = browse(owner).post("/handoffs/go/", {"lead": [str(ready[0].pk)]}, follow=True).content.decode()
    assert "1\xa0lead handed over." in page
    assert "1 of them went to the pool: nobody takes them by turn now." in page


def test_a_go_twice_opens_one(ready, owner, gate, browse):
    client = browse(owner)
    for _ in range(2):
        answer = client.post("/handoffs/go/", {"lead": [str(ready[0].pk)]}, follow=True)
    assert "did not wait" in answer.content.decode()
    with gate(owner):
        assert Handoff.objects.filter(lead=ready[0]).count() == 1


def test_who_gets_none_by_turn_is_told_beside_what_each_has(ready, manager, rep, other_rep, owner, gate, browse):
    third = make_member(rep.workspace, "rep", "Ruth Rep", takes_leads=True)
    with gate(owner) as at:
        worked = begins(rep.workspace, at)
        today = owner.workspace.local(at).date()
        off = take_off(rep, today, worked, by=owner, at=at)
        Member.objects.filter(pk=other_rep.pk).update(weekly_leads=0)
        Member.objects.filter(pk=third.pk).update(days_off=str(worked.weekday()))
    answer = browse(manager).get("/handoffs/")
    says = {one["name"]: one["beside"] for one in answer.context["loads"]}
    none = f"Doesn’t work on {worked:%A}s"
    away = f"Is away, up to and including {day(worked)}"
    assert says == {"Rita Rep": away, "Otto Rep": "Takes none by turn", "Ruth Rep": none}
    assert f'Ruth Rep</span><span class="under">{none}</span>' in answer.content.decode()
    with gate(owner) as at:
        come_back(off, by=owner, at=at)
        # Until then the business is closed, so a lead that comes now is worked when the rep has gone.
        tomorrow = today + timedelta(days=1)
        close(owner.workspace, today, tomorrow, "Stocktaking", by=owner, at=at)
        take_off(rep, tomorrow, tomorrow + timedelta(days=9), by=owner, at=at)
    says = {one["name"]: one["beside"] for one in browse(manager).get("/handoffs/").context["loads"]}
    last = tomorrow + timedelta(days=9)
    assert says["Rita Rep"] == f"Is away from {day(tomorrow)}, up to and including {day(last)}"


@pytest.mark.parametrize("given", [{}, {"lead": []}])
def test_a_go_for_nobody_says_so(ready, owner, browse, given):
    assert "Nobody was chosen" in browse(owner).post("/handoffs/go/", given, follow=True).content.decode()


def test_a_go_for_nonsense_or_for_strangers_changes_nothing(ready, owner, gate, browse):
    client = browse(owner)
    assert client.post("/handoffs/go/", {"lead": ["nonsense"]}).status_code == 400
    assert client.post("/handoffs/go/", {"lead": [str(ready[0].pk), str(uuid4())]}).status_code == 404
    with gate(owner):
        assert not Handoff.objects.exists()


def went(client, leads):
    """What the go for these says."""
    return client.post("/handoffs/go/", {"lead": [str(one.pk) for one in leads]}, follow=True).content.decode()


def test_what_each_would_get_is_said_before_the_go_and_after_it_what_each_got(
    ready, rep, other_rep, manager, viewer, gate, browse
):
    with gate(rep):
        Member.objects.filter(pk=other_rep.pk).update(weekly_leads=5)
    client = browse(manager)
    shown = client.get("/handoffs/")
    assert {one["name"]: one["would"] for one in shown.context["loads"]} == {"Rita Rep": 2, "Otto Rep": 1}
    assert 'Would get<span class="under">of these 3</span>' in shown.content.decode()
    assert "Would get" not in browse(viewer).get("/handoffs/").content.decode()
    with gate(rep):
        assert not Member.objects.exclude(last_turn_at=None).exists(), "only the go itself counts as their turn"
    assert "3\xa0leads handed over: 2 to Rita Rep, 1 to Otto Rep." in went(client, ready)
    with gate(rep):
        assert Handoff.objects.filter(offered_to=rep).count() == 2


def test_what_each_would_get_follows_who_is_ticked(ready, rep, other_rep, manager, browse):
    client = browse(manager)
    assert 'hx-get="/handoffs/?ticked=yes"' in client.get("/handoffs/").content.decode()

    def would(*leads):
        shown = client.get("/handoffs/", {"ticked": "yes", "lead": [str(one.pk) for one in leads]})
        assert f"of these {len(leads)}</span>" in shown.content.decode()
        return sorted(one["would"] for one in shown.context["loads"])

    assert (would(*ready), would(*ready[:2]), would(ready[2]), would()) == ([1, 2], [1, 1], [0, 1], [0, 0])
    assert client.get("/handoffs/?ticked=yes&lead=nonsense").status_code == 400


def test_that_somebody_would_get_more_than_their_share_is_said_before(ready, rep, manager, gate, browse):
    with gate(rep) as at:
        today = rep.workspace.local(at).date()
        Member.objects.filter(pk=rep.pk).update(week=today - timedelta(days=today.weekday()), week_turns=15)
    client = browse(manager)
    beside = '<span class="under">Then by turn 18 this week, more than their share of 10</span>'
    assert beside in client.get("/handoffs/").content.decode()
    assert "3\xa0leads handed over to Rita Rep." in went(client, ready)


def test_how_many_would_go_to_the_pool_is_said_before(ready, rep, manager, gate, browse):
    with gate(rep):
        Member.objects.update(weekly_leads=0)
    client = browse(manager)
    shown = client.get("/handoffs/")
    assert [one["would"] for one in shown.context["loads"]] == [0]
    assert '<td class="num">0</td><td class="num">3</td></tr></tbody>' in shown.content.decode()
    assert "3 of them went to the pool" in went(client, ready)


def test_where_nobody_takes_leads_all_are_said_to_go_to_the_pool(ready, manager, gate, browse):
    with gate(manager):
        Member.objects.update(takes_leads=False)
    client = browse(manager)
    beside = 'The pool<span class="under">Nobody is left who gets them</span></th>'
    assert (
        f'{beside}<td class="num">–</td><td class="num">0</td><td class="num">3</td>'
        in client.get("/handoffs/").content.decode()
    )
    assert "3 of them went to the pool" in went(client, ready)
