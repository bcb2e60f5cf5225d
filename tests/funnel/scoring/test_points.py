"""Points, caps and both scores: what a person reads adds up, whatever the order in which things arrive."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations

import pytest
from django.utils import timezone

from funnel.leads.actions import touch, void
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.outbox.models import Effect, Event
from funnel.people.actions import change_business
from funnel.scoring import changing
from funnel.scoring.actions import sums
from funnel.scoring.models import Basis, LeadScore, ScorePoint
from funnel.scoring.rules import allot, default_rules


@pytest.fixture
def lead(gate, owner, work):
    with gate(owner) as at:
        (got,) = receive(
            owner.workspace,
            [Capture(name="Ann", phone="01632 960142", company="Bell", occurred_at=at - timedelta(days=100))],
            at=at,
        )
    work()
    return got.lead


def engagement(moment):
    basis = Basis.objects.select_related("version").get(in_force=True)
    return basis.now(LeadScore.objects.get().total, moment)


def test_fit_counts_what_we_know_and_being_received_gives_no_engagement(lead, owner, gate):
    with gate(owner) as at:
        score = LeadScore.objects.get()
        assert (score.fit, score.fit_band, score.total) == (50, "B", 0.0)
        assert engagement(at) == 0.0


def test_a_throw_away_address_is_at_no_domain_of_its_own(gate, owner, work):
    with gate(owner) as at:
        captures = [Capture(name="Ann", email=f"ann@{domain}") for domain in ("bell.example", "0-mailer.dynv6.net")]
        receive(owner.workspace, captures, at=at)
    work()
    with gate(owner):
        own, thrown = LeadScore.objects.order_by("-fit").values_list("fit", flat=True)
        assert (own, thrown) == (10 + 10 + 15, 10 + 10)


def test_points_lose_half_their_value_every_half_life(lead, owner, gate, work):
    with gate(owner) as at:
        touch(lead, "call", at=at, occurred_at=at - timedelta(days=28))
    work()
    with gate(owner):
        assert engagement(at) == pytest.approx(15 / 4)
        assert engagement(at + timedelta(days=14)) == pytest.approx(15 / 8)


def test_a_cap_holds_per_rule_and_local_day(lead, owner, gate, work):
    with gate(owner) as at:
        noon = (at - timedelta(days=3)).replace(hour=12)
        for minute in range(5):
            touch(lead, "form", at=at, occurred_at=noon + timedelta(minutes=minute))
        touch(lead, "form", at=at, occurred_at=noon + timedelta(days=1))
    work()
    with gate(owner):
        given = list(ScorePoint.objects.order_by("occurred_at").values_list("points", flat=True))
        assert given == [10, 10, 10, 0, 0, 10]


@pytest.mark.parametrize("again", [False, True])
def test_a_day_is_the_businesss_own_where_its_clock_changes_given_at_the_time_or_judged_again(
    lead, owner, gate, work, again
):
    """In London the 26th of October 2025 had 25 hours: from 23:00 of the 25th to midnight of the 26th in UTC."""
    moments = [datetime(2025, 10, day, hour, 30, tzinfo=UTC) for day, hour in
               ((25, 22), (25, 23), (26, 0), (26, 1), (26, 23), (27, 0))]  # fmt: skip
    with gate(owner) as at:
        for moment in moments:
            touch(lead, "form", at=at, occurred_at=moment)
    work()
    if again:
        with gate(owner) as at:
            changing.save_draft({**default_rules(), "name": "Once more"}, by=owner, at=at)
            changing.publish(again=True, why="", by=owner, at=at)
        work()
    with gate(owner):
        given = ScorePoint.objects.filter(version=changing.in_force().version).order_by("occurred_at")
        days = [date(2025, 10, day) for day in (25, 26, 26, 26, 26, 27)]
        expected = list(zip(days, [10, 10, 10, 10, 0, 10], strict=True))
        assert list(given.values_list("day", "points")) == expected


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
def test_a_days_points_are_the_same_in_whatever_order_they_arrive(lead, owner, gate, work, order):
    with gate(owner) as at:
        noon = (at - timedelta(days=3)).replace(hour=12)
    for place in order:
        with gate(owner) as at:
            touch(lead, "form", at=at, occurred_at=noon + timedelta(minutes=place))
        work()
    with gate(owner):
        by_moment = {}
        for moment, points in ScorePoint.objects.values_list("occurred_at", "points"):
            by_moment[moment] = by_moment.get(moment, 0) + points
        assert [by_moment[moment] for moment in sorted(by_moment)] == [10, 10, 10, 0]
        basis = Basis.objects.select_related("version").get()
        assert sums(basis, [lead.pk])[lead.pk] == pytest.approx(LeadScore.objects.get().total, rel=1e-9)


def test_a_voided_touch_gives_its_place_under_the_cap_to_the_next(lead, owner, gate, work):
    with gate(owner) as at:
        noon = (at - timedelta(days=3)).replace(hour=12)
        events = [touch(lead, "form", at=at, occurred_at=noon + timedelta(minutes=n)) for n in range(4)]
    work()
    with gate(owner) as at:
        void(events[0], reason="A test by ourselves", by=owner, at=at)
    work()
    with gate(owner) as at:
        given = {}
        for event_id, points in ScorePoint.objects.values_list("event_id", "points"):
            given[event_id] = given.get(event_id, 0) + points
        assert [given[event.pk] for event in events] == [0, 10, 10, 10]
        age = (at - noon) / timedelta(days=14)
        assert engagement(at) == pytest.approx(30 * 2**-age, rel=1e-3)
        assert Event.objects.filter(kind="form").count() == 4, "nothing is deleted"


def test_a_kind_of_an_integrations_own_is_kept_and_earns_nothing(lead, owner, gate, work):
    with gate(owner) as at:
        touch(lead, "sat_in_our_car", at=at)
    work()
    with gate(owner) as at:
        assert Event.objects.filter(kind="sat_in_our_car").count() == 1
        assert engagement(at) == 0.0


def test_a_change_of_what_we_know_changes_the_fit(lead, owner, gate, work):
    from funnel.leads.actions import edit

    with gate(owner) as at:
        edit(lead, {"email": "ann@bell.example"}, by=owner, at=at)
    work()
    with gate(owner):
        assert (LeadScore.objects.get().fit, LeadScore.objects.get().fit_band) == (75, "A")
        assert Lead.objects.get().version == 2


@pytest.mark.once
@pytest.mark.parametrize(
    ("points", "cap", "count", "earned"),
    [(10, 30, 4, [10, 10, 10, 0]), (10, None, 2, [10, 10]), (10, 25, 3, [10, 10, 5]), (-3, None, 2, [-3, -3])],
)
def test_the_cap_cuts_the_last_that_fits(points, cap, count, earned):
    assert allot(points, cap, count) == earned


def test_what_was_taken_back_before_its_turn_came_earns_nothing(lead, owner, gate, work):
    with gate(owner) as at:
        late = touch(lead, "form", at=at)
        Effect.objects.filter(event=late).update(due_at=at + timedelta(seconds=5), attempts=1)
        void(late, reason="A test by ourselves", by=owner, at=at)
    work()
    work(timezone.now() + timedelta(seconds=10))
    with gate(owner):
        assert not Effect.objects.exclude(state="done").filter(handler="score").exists()
        assert list(ScorePoint.objects.all()) == []


def test_a_void_finds_the_points_though_the_business_has_another_time_zone_by_now(lead, owner, gate, work):
    with gate(owner) as at:
        night = (at - timedelta(days=3)).replace(hour=23, minute=30)
        seen = touch(lead, "form", at=at, occurred_at=night)
    work()
    with gate(owner) as at:
        change_business(owner.workspace, by=owner, at=at, time_zone="Asia/Tokyo")
        assert ScorePoint.objects.get().points == 10
        void(seen, reason="A test by ourselves", by=owner, at=at)
    work()
    with gate(owner) as at:
        assert sum(ScorePoint.objects.values_list("points", flat=True)) == 0
        assert engagement(at) == 0.0


def test_what_was_taken_back_no_longer_says_when_somebody_came(lead, owner, gate, work):
    with gate(owner) as at:
        early = touch(lead, "visit", at=at, occurred_at=at - timedelta(days=200), source=("Flyer", "", ""))
        assert Lead.objects.select_related("source").get().source.channel == "Flyer"
        void(early, reason="Somebody else", by=owner, at=at)
        back = Lead.objects.select_related("source").get()
        assert (at - back.received_at).days == 100
        assert back.source.channel == "unknown"
