"""By turn everybody gets their share, never a whole lead more or less."""

import random
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest

from funnel.handoff import turns
from funnel.handoff.routing import Rotation
from funnel.leads.models import Lead
from funnel.people.away import come_back, take_off
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Member, MemberQuerySet
from tests.conftest import make_member
from tests.racing import race

LEADS = 10_000


def seats(*weights):
    return [SimpleNamespace(weekly_leads=weight, owed=0.0, week_turns=0) for weight in weights]


def gave(among):
    chosen = turns.in_order(among)[0]
    turns.give(chosen, among)
    return chosen


@pytest.mark.parametrize(
    "weights",
    [(10, 10, 10), (10,) * 7, (100, 1, 1, 1, 1, 1, 1, 1, 1, 1), (1, 2, 3, 5, 8, 13), (40, 40, 3), (7, 1)],
)
def test_after_each_of_ten_thousand_leads_nobody_is_a_whole_lead_off_their_share(weights):
    among = seats(*weights)
    for count in range(1, LEADS + 1):
        gave(among)
        for one in among:
            assert abs(one.week_turns - count * one.weekly_leads / sum(weights)) < 1 - 1e-9, (count, one)


def test_plain_smallest_share_first_would_not_keep_that():
    """The negative control: turns over weight alone first gives a lead to each of the small ones."""
    among = seats(100, *(1,) * 9)
    for _ in range(10):
        min(among, key=lambda one: one.week_turns / one.weekly_leads).week_turns += 1
    assert among[0].week_turns < 1000 / 109 - 1


def test_whoever_comes_and_goes_is_never_flooded():
    dice = random.Random(4)
    among = seats(10, 10, 20, 5, 15, 8)
    for _ in range(3000):
        here = dice.sample(among, dice.randint(1, len(among)))
        for _ in range(dice.randint(1, 40)):
            gave(here)
        assert max(abs(one.owed) for one in among) < 3


def routed(members_of, at, many):
    rotation = Rotation.locked(at, members_of.workspace)
    for _ in range(many):
        rotation.route(Lead(), tried=())
    rotation.save()


def had(gate, *members):
    with gate(members[0]):
        return [Member.objects.get(pk=one.pk).week_turns for one in members]


def test_shares_hold_across_batches(gate, rep, other_rep):
    third = make_member(rep.workspace, "rep", "Theo Third", takes_leads=True)
    with gate(rep) as at:
        for _ in range(LEADS // 200):
            routed(rep, at, 200)
    assert sorted(had(gate, rep, other_rep, third)) == [3333, 3333, 3334]


def test_what_somebody_can_take_a_week_is_their_share(gate, rep, other_rep):
    with gate(rep) as at:
        Member.objects.filter(pk=rep.pk).update(weekly_leads=15)
        Member.objects.filter(pk=other_rep.pk).update(weekly_leads=5)
        for many in (1, 2, 3, 4, 5, 6, 7):
            routed(rep, at, many)
    assert had(gate, rep, other_rep) == [21, 7]


def test_at_nought_a_week_nobody_is_asked_by_turn(gate, rep, other_rep):
    with gate(rep) as at:
        Member.objects.filter(pk=rep.pk).update(weekly_leads=0)
        rotation = Rotation.locked(at, rep.workspace)
        got, route = rotation.route(Lead(), tried=())
        assert got == other_rep
        assert {row["name"]: row["says"] for row in route["rows"]} == {
            "Otto Rep": "It is Otto Rep’s turn: 0 of 10 this week.",
            "Rita Rep": "Takes none by turn.",
        }
        assert rotation.route(Lead(), known=[(rep, "{name} knows them.")], tried=())[0] == rep
        nobody, route = rotation.route(Lead(), tried=[other_rep.pk])
        assert (nobody, route["says"]) == (None, "Nobody takes leads by turn at the moment.")


def test_over_their_share_both_numbers_are_told_and_that_nobody_else_can_get_it(gate, rep, other_rep):
    with gate(rep) as at:
        routed(rep, at, 22)
        rotation = Rotation.locked(at, rep.workspace)
        chosen, route = rotation.route(Lead(), tried=[other_rep.pk])
        over = "11 this week, more than their share of 10"
        assert route["says"] == f"It is {rep.name}’s turn: {over}; nobody else can get it by turn."
        chosen, route = rotation.route(Lead(), tried=())
        assert route["says"] == f"It is {chosen.name}’s turn: {over}."
        assert "Comes later, number 2 in turn: 12 this week, more than their share of 10." in {
            row["says"] for row in route["rows"]
        }


def test_a_lead_that_goes_to_who_knows_it_is_nobodys_turn(gate, rep, other_rep):
    with gate(rep) as at:
        for _ in range(5):
            rotation = Rotation.locked(at, rep.workspace)
            rotation.route(Lead(), known=[(rep, "{name} knows them.")], tried=())
            rotation.save()
        routed(rep, at, 4)
    assert had(gate, rep, other_rep) == [2, 2]


def test_somebody_back_from_time_off_and_a_newcomer_take_their_share_and_no_more(gate, rep, other_rep, owner):
    with gate(rep) as at:
        today = rep.workspace.local(at).date()
        off = take_off(other_rep, today, today, by=owner, at=at)
        routed(rep, at, 50)
        come_back(off, by=owner, at=at)
    new = make_member(rep.workspace, "rep", "Nora New", takes_leads=True)
    with gate(rep) as at:
        routed(rep, at, 30)
    assert had(gate, rep, other_rep, new) == [60, 10, 10]


def test_whoever_is_away_on_the_next_working_day_is_left_out_tonight(gate, rep, other_rep, owner):
    with gate(rep) as now:
        friday = now.replace(hour=20, minute=0) + timedelta(days=(4 - now.weekday()) % 7 + 7)
        monday = rep.workspace.local(friday).date() + timedelta(days=3)
        take_off(rep, monday, monday, by=owner, at=now)
        got, route = Rotation.locked(friday, rep.workspace).route(Lead(), tried=())
        assert got == other_rep
        assert "Is away" in next(row["says"] for row in route["rows"] if row["name"] == "Rita Rep")


def test_a_new_week_counts_from_nothing_and_forgets_no_debt(gate, rep, other_rep):
    with gate(rep) as at:
        routed(rep, at, 3)
        rotation = Rotation.locked(at + timedelta(days=7), rep.workspace)
        got, _ = rotation.route(Lead(), tried=())
        assert got == other_rep, "Rita had two of three"
        rotation.save()
    assert had(gate, rep, other_rep) == [0, 1]


def two_workers(rep):
    def worker():
        for _ in range(20):
            with tenant(rep.workspace_id, write=True) as at:
                routed(rep, at, 5)

    return race([worker, worker])


@pytest.mark.postgres
def test_two_workers_at_once_keep_the_shares(transactional_db, workspace, rep, other_rep, gate):
    third = make_member(workspace, "rep", "Theo Third", takes_leads=True)
    assert two_workers(rep) == [None, None]
    assert sorted(had(gate, rep, other_rep, third)) == [66, 67, 67]


@pytest.mark.postgres
def test_without_the_lock_two_workers_forget_each_other_s_turns(
    transactional_db, workspace, rep, other_rep, gate, monkeypatch
):
    """The negative control: both read the turns before either wrote them."""
    monkeypatch.setattr(MemberQuerySet, "select_for_update", lambda self, **how: self)
    save = Rotation.save
    monkeypatch.setattr(Rotation, "save", lambda self: (time.sleep(0.02), save(self)))
    two_workers(rep)
    assert sum(had(gate, rep, other_rep)) < 200
