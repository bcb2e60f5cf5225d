"""A demo takes a rep's time, and nobody else can have it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.models import Handoff, Outcome
from funnel.leads.identity import Refused
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.outbox.models import Event
from funnel.people import leaving
from funnel.workspaces.gate import tenant
from sales.deals.models import Deal, DealStage
from sales.demos import actions as demos
from sales.demos.facts import demos_do_not_overlap
from sales.demos.models import Demo, DemoState
from sales.queue.models import Task
from tests.racing import race
from tests.sales.demos.conftest import HALF, slot

pytestmark = pytest.mark.django_db


def stage(lead, gate):
    with gate(lead.workspace):
        now = Lead.objects.get(pk=lead.pk)
        return now.stage, now.holder_id


def test_a_demo_opens_a_deal_and_the_lead_follows(rep, demo_of, gate):
    demo = demo_of(rep)
    assert stage(demo.lead, gate) == (Stage.DEMO, rep.pk)
    with gate(rep) as at:
        assert Deal.objects.get().stage == DealStage.DEMO
        later = slot(rep, at, 15)
        demos.book(demo.lead, holder=rep, starts_at=later, ends_at=later + HALF, by=rep, at=at)
        assert Deal.objects.count() == 1
        told = Event.objects.filter(kind="demo_booked").order_by("id").first()
        assert (told.actor, told.data["demo"]) == (rep, str(demo.pk))


def test_a_deal_that_is_further_stays_and_one_that_is_not_goes_on(rep, deal_with, gate):
    first, second = deal_with(rep, "Ann Bell"), deal_with(rep, "Ben Bell", stage=DealStage.NEGOTIATION)
    for hour, deal in ((9, first), (10, second)):
        with gate(rep) as at:
            starts = slot(rep, at, hour)
            made = demos.book(deal.lead, holder=rep, starts_at=starts, ends_at=starts + HALF, by=rep, at=at)
            assert made.deal == deal
    with gate(rep):
        assert list(Deal.objects.order_by("made_at").values_list("stage", flat=True)) == ["demo", "negotiation"]


def test_two_demos_of_a_rep_share_no_time_but_one_may_follow_the_other(rep, other_rep, demo_of, catch, gate):
    demo = demo_of(rep)
    lead = catch(rep, "Ben Bell")
    quarter = HALF / 2
    with gate(rep) as at:
        for begin, end in (
            (demo.starts_at, demo.ends_at),
            (demo.starts_at - quarter, demo.starts_at + timedelta(minutes=1)),
            (demo.ends_at - timedelta(minutes=1), demo.ends_at + quarter),
            (demo.starts_at - quarter, demo.ends_at + quarter),
            (demo.starts_at + timedelta(minutes=1), demo.ends_at - timedelta(minutes=1)),
        ):
            with pytest.raises(demos.Taken, match="Rita Rep has another demo at that time"):
                demos.book(lead, holder=rep, starts_at=begin, ends_at=end, by=rep, at=at)
        assert Demo.objects.count() == 1
        assert not Deal.objects.filter(lead=lead).exists()
        demos.book(lead, holder=rep, starts_at=demo.ends_at, ends_at=demo.ends_at + HALF, by=rep, at=at)
    other = catch(other_rep, "Cat Bell")
    with gate(other_rep) as at:
        demos.book(other, holder=other_rep, starts_at=demo.starts_at, ends_at=demo.ends_at, by=other_rep, at=at)
        demos.cancel(demo, by=rep, at=at)
        demos.move(Demo.objects.get(lead=lead), {"starts_at": demo.starts_at}, by=rep, at=at)
        assert list(demos_do_not_overlap(rep.workspace, at)) == []


@pytest.mark.parametrize(
    ("begin", "length", "field"),
    [
        (timedelta(1), -HALF, "ends_at"), (timedelta(1), timedelta(0), "ends_at"),
        (timedelta(1), timedelta(hours=13), "ends_at"), (-timedelta(hours=1), HALF, "starts_at"),
        (timedelta(days=900), HALF, "starts_at"),
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_is_refused_with_its_field(rep, catch, gate, begin, length, field):
    lead = catch(rep)
    with gate(rep) as at:
        with pytest.raises(Refused) as refused:
            demos.book(lead, holder=rep, starts_at=at + begin, ends_at=at + begin + length, by=rep, at=at)
        assert list(refused.value.errors) == [field]
        assert not Demo.objects.exists()
        assert not Deal.objects.exists()


def test_whose_lead_and_whose_time_it_is_decides_who_may_book(rep, other_rep, manager, viewer, catch, demo_of, gate):
    mine = demo_of(rep)
    with gate(rep) as at:
        starts = slot(rep, at, 14)
        when = {"starts_at": starts, "ends_at": starts + HALF, "at": at}
    free = catch(rep, "Ben Bell")
    with gate(rep):
        with pytest.raises(demos.NotYourDemo, match="This lead is with Rita Rep"):
            demos.book(mine.lead, holder=other_rep, by=other_rep, **when)
        with pytest.raises(demos.NotYourDemo, match="for somebody else"):
            demos.book(free, holder=other_rep, by=rep, **when)
        with pytest.raises(demos.CantDemo):
            demos.book(free, holder=viewer, by=manager, **when)
        made = demos.book(mine.lead, holder=other_rep, by=manager, **when)
        assert (made.holder, made.deal.holder, Lead.objects.get(pk=mine.lead_id).holder) == (other_rep, rep, rep)
        for verb in (demos.cancel, demos.held, demos.no_show):
            with pytest.raises(demos.NotYourDemo):
                verb(mine, by=other_rep, at=at)


def test_what_waited_for_the_rep_counts_as_taken_by_the_demo(rep, catch, gate):
    lead = catch(rep)
    with gate(rep) as at:
        handoff.open_for([lead], why={lead.pk: "Asked"}, workspace=lead.workspace, at=at, to=rep)
        starts = slot(rep, at)
        demos.book(lead, holder=rep, starts_at=starts, ends_at=starts + HALF, by=rep, at=at)
        assert Handoff.objects.get().outcome == Outcome.ACCEPTED


def test_how_it_went_is_said_once_it_began_and_can_be_put_right(rep, past_demo, demo_of, gate):
    demo, later = past_demo(rep), demo_of(rep, "Ben Bell")
    with gate(rep) as at:
        with pytest.raises(demos.NotYet):
            demos.held(later, by=rep, at=at)
        demos.no_show(demo, by=rep, at=at)
        demos.no_show(demo, by=rep, at=at)
        assert Event.objects.filter(kind="demo_missed").count() == 1
        now = demos.held(demo, by=rep, at=at, note="They like it")
        assert (now.state, now.note) == (DemoState.HELD, "They like it")
        with pytest.raises(demos.NotBooked, match="This demo was held"):
            demos.cancel(demo, by=rep, at=at)
        told = Event.objects.get(kind="demo_held")
        assert (told.occurred_at, told.actor) == (demo.starts_at, rep)
        demos.cancel(later, by=rep, at=at, reason="They asked")
        demos.cancel(later, by=rep, at=at)
        for verb in (demos.held, demos.no_show):
            with pytest.raises(demos.NotBooked, match="cancelled"):
                verb(later, by=rep, at=at + timedelta(days=30))


def test_somebody_who_leaves_drops_no_demo(rep, other_rep, owner, demo_of, catch, gate, work):
    kept, clash = demo_of(rep, "Ann Bell"), demo_of(rep, "Ben Bell", hour=11)
    demo_of(other_rep, "Cat Bell", hour=11)
    demo_of(owner, "Dan Bell", hour=11)
    with gate(owner) as at:
        leaving.remove(rep, by=owner, at=at)
        moved = Demo.objects.get(pk=kept.pk)
        assert (moved.holder, moved.sequence, moved.lead.holder) == (other_rep, 1, other_rep)
        stayed = Demo.objects.get(pk=clash.pk)
        assert stayed.holder == rep, "everybody else is busy at eleven"
        assert Task.objects.get(lead=clash.lead).holder == other_rep
        assert "11:00" in Task.objects.get(lead=clash.lead).what
    work()


def test_what_nobody_said_of_a_demo_is_asked_of_whoever_takes_over(rep, other_rep, owner, past_demo, browse, gate):
    open_one, told = past_demo(rep, "Ann Bell"), past_demo(rep, "Ben Bell", hours=3)
    with gate(rep) as at:
        demos.held(told, by=rep, at=at)
    browse(owner).post(f"/people/{rep.pk}/remove/", {"to": str(other_rep.pk)})
    with gate(owner):
        assert [one.lead for one in Task.objects.open().filter(holder=other_rep)] == [open_one.lead]
        assert Demo.objects.get(pk=open_one.pk).holder == rep, "it was with them"
    assert "Ask and say how “Meeting” on " in browse(other_rep).get("/sales/").content.decode()


def test_a_lead_that_goes_to_a_colleague_takes_its_demo_along_and_one_given_back_loses_it(
    rep, other_rep, manager, demo_of, gate, work
):
    from funnel.handoff.models import GiveBackReason

    demo = demo_of(rep)
    with gate(rep) as at:
        passing.pass_lead(Lead.objects.get(), to=other_rep, by=rep, at=at, reason="Away")
    work()
    with gate(rep) as at:
        assert Demo.objects.get().holder == other_rep
        reason = GiveBackReason.objects.get(key="no-budget")
        handoff.give_back(Lead.objects.get(), reason=reason, by=manager, at=at)
        gone = Demo.objects.get(pk=demo.pk)
        assert (gone.state, gone.sequence) == (DemoState.CANCELLED, 2)
        assert not Deal.objects.open().exists()


# ── races: fault 27 ──────────────────────────────────────────────────────


@pytest.fixture
def fifty(rep, catch, gate):
    """Fifty leads of one rep."""
    from funnel.leads.identity import Capture
    from funnel.leads.receiving import receive

    with gate(rep) as at:
        got = receive(rep.workspace, [Capture(email=f"lead{n}@mail.example") for n in range(50)], at=at)
        return [one.lead for one in got]


def attempt(rep, lead, starts_at, length=HALF):
    """One booking of its own, on a connection of its own, as a request makes it."""

    def run():
        try:
            with tenant(rep.workspace, write=True) as at:
                return demos.book(lead, holder=rep, starts_at=starts_at, ends_at=starts_at + length, by=rep, at=at)
        except demos.Taken as taken:
            return taken.sentence

    return run


@pytest.mark.django_db(transaction=True)
def test_of_fifty_who_book_one_slot_at_once_one_has_it_and_the_others_read_why(rep, fifty, gate):
    starts_at = slot(rep, timezone.now())
    results = race([attempt(rep, lead, starts_at) for lead in fifty])
    won = [one for one in results if isinstance(one, Demo)]
    lost = [one for one in results if isinstance(one, str)]
    assert (len(won), len(lost)) == (1, 49), results
    assert all("Rita Rep has another demo at that time" in one for one in lost)
    with gate(rep) as at:
        assert Demo.objects.get() == won[0]
        assert Deal.objects.count() == 1, "who was too late has no deal either"
        assert list(demos_do_not_overlap(rep.workspace, at)) == []


@pytest.mark.django_db(transaction=True)
def test_overlapping_times_and_moves_at_once_leave_no_overlap(rep, fifty, gate):
    starts_at = slot(rep, timezone.now())
    minutes = timedelta(minutes=10)
    first = [attempt(rep, lead, starts_at + n * minutes)() for n, lead in zip((0, 3, 6, 9, 12), fifty, strict=False)]

    def move(demo, to):
        def run():
            try:
                with tenant(rep.workspace, write=True) as at:
                    return demos.move(demo, {"starts_at": to}, by=rep, at=at)
            except demos.Taken as taken:
                return taken.sentence

        return run

    target = starts_at + timedelta(hours=4)
    racers = [move(one, target + n * minutes) for n, one in enumerate(first)]
    racers += [attempt(rep, lead, target + n * minutes) for n, lead in enumerate(fifty[5:15])]
    results = race(racers)
    assert not [one for one in results if not isinstance(one, Demo | str)], results
    with gate(rep) as at:
        assert list(demos_do_not_overlap(rep.workspace, at)) == []


def no_guard(holder, starts_at, ends_at, **_):
    """Look and book without holding the rep's row."""
    other = Demo.objects.clashing(holder, starts_at, ends_at).first()
    if other is not None:
        raise demos._taken(holder, other, None)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_the_table_itself_refuses_a_second_demo(rep, fifty, gate, monkeypatch):
    monkeypatch.setattr(demos, "reserve", no_guard)
    results = race([attempt(rep, lead, slot(rep, timezone.now())) for lead in fifty[:10]])
    assert sum(isinstance(one, Demo) for one in results) == 1, results
    assert all(isinstance(one, Demo | str) for one in results), results


@pytest.mark.once
@pytest.mark.django_db(transaction=True)
def test_without_the_write_lock_the_race_shows(rep, fifty, gate, monkeypatch):
    """The negative control on SQLite: nothing holds look and booking together, each racer looks before any books."""
    together = threading.Barrier(5, timeout=20)
    starts_at = slot(rep, timezone.now())

    def look(holder, starts_at, ends_at, **_):
        no_guard(holder, starts_at, ends_at)
        together.wait()

    def unlocked(lead):
        def run():
            with tenant(rep.workspace) as at:
                ends_at = starts_at + HALF
                return demos.book.__wrapped__(lead, holder=rep, starts_at=starts_at, ends_at=ends_at, by=rep, at=at)

        return run

    monkeypatch.setattr(demos, "reserve", look)
    results = race([unlocked(lead) for lead in fifty[:5]])
    assert sum(isinstance(one, Demo) for one in results) == 5, results
    with gate(rep) as at:
        assert list(demos_do_not_overlap(rep.workspace, at))


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_without_lock_and_constraint_the_race_shows(rep, fifty, gate, monkeypatch):
    """The negative control: both guards off, each racer looks before any of them books."""
    together = threading.Barrier(5, timeout=20)

    def look(holder, starts_at, ends_at, **_):
        no_guard(holder, starts_at, ends_at)
        together.wait()

    monkeypatch.setattr(demos, "reserve", look)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE sales_demo RENAME CONSTRAINT demo_no_overlap TO demo_kept_overlap")
        cursor.execute("ALTER TABLE sales_demo DROP CONSTRAINT demo_kept_overlap")
    try:
        results = race([attempt(rep, lead, slot(rep, timezone.now())) for lead in fifty[:5]])
        assert sum(isinstance(one, Demo) for one in results) == 5, results
        with gate(rep) as at:
            assert list(demos_do_not_overlap(rep.workspace, at))
            Demo.objects.all().delete()
    finally:
        from importlib import import_module

        with connection.cursor() as cursor:
            cursor.execute(import_module("sales.migrations.0006_demo_no_overlap").CONSTRAINT)
