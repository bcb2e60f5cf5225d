"""Rules change while leads come in: what is in force, what each score is made of, and what comes back."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from funnel.leads.actions import touch, void
from funnel.leads.identity import Capture, Refused
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.outbox.models import Event
from funnel.scoring import changing
from funnel.scoring.models import Basis, LeadScore, RuleDraft, RuleVersion, ScorePoint
from funnel.scoring.rules import default_rules

NIGHTS = timedelta(days=1)


@pytest.fixture
def crowd(gate, owner, work):
    """Twelve leads who did this and that on the last days, some of it twice a day, one thing taken back."""
    dice = random.Random(7)
    with gate(owner) as at:
        captures = [
            Capture(name=f"Lead {n}", phone=f"01632 96{n:04}", company="Bell" if n % 2 else "", fields={})
            for n in range(12)
        ]
        leads = [got.lead for got in receive(owner.workspace, captures, at=at)]
        for lead in leads:
            for _ in range(dice.randrange(6)):
                kind = dice.choice(["form", "page_view", "page_view", "call", "visit", "sat_in_our_car"])
                moment = at - timedelta(days=dice.randrange(6), minutes=dice.randrange(300))
                page = dice.choice(["https://bell.example/prices?a=1", "/Prices", "/about_us", "/a[b]?x=50%", ""])
                channel = dice.choice(["Flyer", "radio", "search"])
                touch(lead, kind, at=at, occurred_at=moment, source=(channel, "", ""), data={"page": page})
    work()
    with gate(owner) as at:
        gone = Event.objects.filter(kind__in=["form", "page_view"]).order_by("id").first()
        void(gone, reason="A test by ourselves", by=owner, at=at)
    work()
    return leads


def rules(**changes):
    """The shipped rules with some of their parts changed."""
    return {**deepcopy(default_rules()), **changes}


def sound():
    out = StringIO()
    try:
        call_command("check_facts", stdout=out)
    except SystemExit:
        pytest.fail(out.getvalue())
    return json.loads(out.getvalue())


def totals():
    return dict(LeadScore.objects.in_force().values_list("lead_id", "total"))


def points_of(version=None):
    """What each event earned by each rule, altogether."""
    found = {}
    rows = ScorePoint.objects.all() if version is None else ScorePoint.objects.filter(version=version)
    for event, rule, points in rows.values_list("event_id", "rule", "points"):
        found[event, rule] = found.get((event, rule), 0) + points
    return {key: points for key, points in found.items() if points}


def publish(gate, owner, work, changed, *, again=False):
    with gate(owner) as at:
        changing.save_draft(changed, by=owner, at=at)
    with gate(owner) as at:
        changing.publish(again=again, why="", by=owner, at=at)
    work()
    with gate(owner):
        return changing.in_force()


def test_from_now_on_points_given_stay_and_new_ones_are_given_by_the_new_version(crowd, gate, owner, work):
    with gate(owner):
        before, was = totals(), points_of()
    louder = rules(engagement=[{"key": "loud", "kind": "call", "points": 40, "cap": 40, "reason": ""}])
    basis = publish(gate, owner, work, louder)
    with gate(owner) as at:
        assert (basis.version.number, basis.version.published_at is not None) == (2, True)
        assert totals() == pytest.approx(before, rel=1e-9)
        touch(crowd[0], "call", at=at)
        touch(crowd[0], "form", at=at)
    work()
    with gate(owner) as at:
        assert {key: points for key, points in points_of().items() if key not in was} == {
            (Event.objects.filter(kind="call").order_by("-id")[0].pk, "loud"): 40
        }
    sound()


def test_judged_again_every_event_earns_by_the_new_version_alone(crowd, gate, owner, work):
    basis = publish(gate, owner, work, rules(half_life_days=7, engagement=[
        {"key": "loud", "kind": "form", "points": 40, "cap": 50, "reason": ""}
    ]), again=True)  # fmt: skip
    with gate(owner):
        forms = Event.objects.in_force().filter(kind="form")
        given = points_of(basis.version)
        assert {event for event, _ in given} <= set(forms.values_list("pk", flat=True))
        assert given
        assert set(given.values()) <= {40, 10}
        assert basis.half_life == 7
        assert Basis.objects.count() == 1, "the old basis is cleared away"
    sound()


TRICKY = [
    {"key": "p1", "kind": "page_view", "points": 3, "cap": 7, "page": "/prices", "reason": ""},
    {"key": "p2", "kind": "page_view", "points": 5, "page": "a[b]?x=50%", "reason": ""},
    {"key": "p3", "kind": "page_view", "points": 2, "page": "/*_us", "reason": ""},
    {"key": "p4", "kind": "page_view", "points": -4, "cap": 6, "page": "P*s", "reason": ""},
    {"key": "from", "kind": "form", "points": 9, "channel": "FLYER", "reason": ""},
    {"key": "nowhere", "kind": "form", "points": 9, "channel": "flyer", "campaign": "Never was", "reason": ""},
    {"key": "own", "kind": "sat_in_our_car", "points": 11, "cap": 11, "reason": ""},
]


def test_judging_the_past_gives_what_would_have_been_given_at_the_time(gate, owner, work, request):
    publish(gate, owner, work, rules(engagement=TRICKY), again=False)
    request.getfixturevalue("crowd")
    with gate(owner):
        live = {(event, rule): points for (event, rule), points in points_of(changing.in_force().version).items()}
        assert {rule for _, rule in live} == {"p1", "p2", "p3", "p4", "from", "own"}
    again = publish(gate, owner, work, {**rules(engagement=TRICKY), "name": "Once more"}, again=True)
    with gate(owner):
        assert points_of(again.version) == live
    sound()


def test_who_comes_while_a_basis_is_filled_is_on_it_and_nothing_counts_twice(crowd, gate, owner, work, monkeypatch):
    monkeypatch.setattr("funnel.scoring.filling.LEAST", 3)
    monkeypatch.setattr("funnel.scoring.filling.MOST", 3)
    from funnel.scoring import filling

    slices, fill = [], filling.fill

    def and_meanwhile(basis, **how):
        ended = fill(basis, **how)
        slices.append(basis.place)
        if len(slices) == 2:
            at = how["at"]
            receive(owner.workspace, [Capture(kind="form", email="new@come.example")], at=at)
            for lead in (crowd[0], crowd[11]):
                touch(lead, "form", at=at)
            void(Event.objects.in_force().filter(kind="visit", lead__isnull=False).first(), reason="x", by=owner, at=at)
        return ended

    monkeypatch.setattr("funnel.scoring.handlers.fill", and_meanwhile)
    changed = rules(engagement=[{"key": "all", "kind": "form", "points": 20, "reason": ""},
                                {"key": "seen", "kind": "visit", "points": 30, "reason": ""}])  # fmt: skip
    basis = publish(gate, owner, work, changed, again=True)
    with gate(owner):
        assert len(slices) >= 5
        assert LeadScore.objects.in_force().count() == Lead.objects.count() == 13
        acts = Event.objects.in_force().filter(kind__in=["form", "visit"])
        assert {event for event, _ in points_of(basis.version)} == set(acts.values_list("pk", flat=True))
    sound()


@pytest.mark.parametrize("again", [False, True])
def test_a_draft_is_tried_out_beside_what_is_in_force_and_published_at_once(crowd, gate, owner, work, again):
    changed = rules(fit=[{"key": "all", "field": "name", "when": "contains", "value": "LEAD", "points": 90}],
                    engagement=[{"key": "all", "kind": "call", "points": 20, "reason": ""}])  # fmt: skip
    with gate(owner) as at:
        before = totals()
        changing.save_draft(changed, by=owner, at=at)
        changing.try_out(again=again, by=owner, at=at)
    work()
    with gate(owner) as at:
        assert totals() == before
        assert LeadScore.objects.count() == 24
        touch(crowd[3], "call", at=at)
    work()
    sound()
    with gate(owner) as at:
        assert changing.in_force().version.number == 1
        live = changing.publish(again=again, why="We like it", by=owner, at=at)
        assert live.in_force
        assert set(LeadScore.objects.in_force().values_list("fit_band", flat=True)) == {"A"}
        assert not RuleDraft.objects.exists()
        touch(crowd[4], "call", at=at)
    work()
    sound()


def test_going_back_is_as_if_the_later_versions_had_never_been(crowd, gate, owner, work):
    with gate(owner) as at:
        moment = at - timedelta(hours=2)
        first = changing.in_force().version
    publish(gate, owner, work, rules(engagement=[{"key": "all", "kind": "form", "points": 99, "reason": ""}]))
    with gate(owner) as at:
        touch(crowd[5], "form", at=at, occurred_at=moment)
    work()
    publish(gate, owner, work, rules(half_life_days=3), again=True)
    with gate(owner) as at:
        changing.go_back(first, by=owner, at=at)
    work()
    sound()
    with gate(owner) as at:
        now = changing.in_force()
        assert (now.version.number, now.version.rules, now.half_life) == (4, first.rules, 14)
        went = totals()
        touch(crowd[5], "form", at=at)
    work()
    sound()
    # The same without the detour.
    with gate(owner) as at:
        changing.save_draft({**rules(), "name": "Afresh"}, by=owner, at=at)
        changing.publish(again=True, why="", by=owner, at=at)
        Event.objects.filter(kind="form").order_by("-id").first().delete()
    work()
    with gate(owner):
        direct = totals()
        assert went == pytest.approx(dict(direct.items()), rel=1e-9)


@pytest.mark.parametrize("again", [False, True])
def test_going_back_judges_what_was_scored_only_after_the_version_was_left(gate, owner, work, again):
    with gate(owner) as at:
        first = changing.in_force().version
        (got,) = receive(owner.workspace, [Capture(email="late@scored.example")], at=at)
    work()
    with gate(owner) as at:
        changing.save_draft({**rules(), "name": "Once more"}, by=owner, at=at)
        changing.try_out(again=again, by=owner, at=at)
    work()
    with gate(owner) as at:
        late = touch(got.lead, "form", at=at)
    with gate(owner) as at:
        assert changing.publish(again=again, why="", by=owner, at=at).in_force
    work()
    with gate(owner) as at:
        before = totals()
        changing.go_back(first, by=owner, at=at)
    work()
    with gate(owner):
        assert points_of(changing.in_force().version)[late.pk, "form"] == 10
        assert totals() == pytest.approx(before, rel=1e-9)
    sound()


def test_what_was_taken_back_meanwhile_counts_no_more_when_an_earlier_version_does_again(crowd, gate, owner, work):
    with gate(owner) as at:
        first = changing.in_force().version
        noon = (at - 3 * NIGHTS).replace(hour=12)
        forms = [touch(crowd[1], "form", at=at, occurred_at=noon + timedelta(minutes=n)) for n in range(4)]
    work()
    publish(gate, owner, work, rules(half_life_days=3), again=True)
    with gate(owner) as at:
        void(forms[0], reason="A test by ourselves", by=owner, at=at)
    work()
    with gate(owner) as at:
        changing.go_back(first, by=owner, at=at)
    work()
    with gate(owner):
        given = points_of(first)
        assert [given.get((event.pk, "form"), 0) for event in forms] == [0, 10, 10, 10]
    sound()


def test_what_an_earlier_version_gave_is_taken_back_by_its_own_rules(crowd, gate, owner, work):
    with gate(owner) as at:
        noon = (at - 3 * NIGHTS).replace(hour=12)
        forms = [touch(crowd[1], "form", at=at, occurred_at=noon + timedelta(minutes=n)) for n in range(4)]
    work()
    publish(gate, owner, work, rules(engagement=[{"key": "form", "kind": "form", "points": 1, "reason": ""}]))
    with gate(owner) as at:
        void(forms[0], reason="A test by ourselves", by=owner, at=at)
    work()
    with gate(owner):
        given = points_of()
        assert [given.get((event.pk, "form"), 0) for event in forms] == [0, 10, 10, 10]
    sound()


def test_a_published_grid_lets_people_wait_for_a_go_or_no_longer(crowd, gate, owner, work):
    everybody = {"A": [1, 2, 3, 4], "B": [1, 2, 3, 4], "C": [1, 2, 3, 4], "D": [1, 2, 3, 4]}
    with gate(owner):
        held = set(Lead.objects.exclude(stage__in=["new", "nurturing"]).values_list("pk", flat=True))
        since, before = Event.objects.latest("id").pk, set(Lead.objects.filter(waits_since__isnull=False))
    publish(gate, owner, work, rules(ready=everybody))
    with gate(owner):
        waiting = set(Lead.objects.filter(waits_since__isnull=False).values_list("pk", flat=True))
        assert waiting == set(Lead.objects.values_list("pk", flat=True)) - held
        assert Event.objects.filter(kind="waits_for_go", pk__gt=since).count() == len(waiting) - len(before)
    publish(gate, owner, work, rules(ready={band: [] for band in "ABCD"}))
    with gate(owner):
        assert not Lead.objects.filter(waits_since__isnull=False).exists()
        assert Event.objects.filter(kind="not_ready", pk__gt=since).count() == len(waiting)
        assert set(Lead.objects.exclude(stage__in=["new", "nurturing"]).values_list("pk", flat=True)) == held
    sound()


def test_long_after_s_is_summed_from_a_new_moment_and_reads_the_same(crowd, gate, owner, work):
    with gate(owner) as at:
        basis = Basis.objects.get()
        seen = {pk: basis.now(total, at) for pk, total in totals().items()}
        Basis.objects.update(epoch=at - timedelta(days=14 * 301))
        from funnel.scoring.actions import sums

        old = Basis.objects.select_related("version").get()
        for pk, total in sums(old, [lead.pk for lead in crowd]).items():
            LeadScore.objects.filter(lead=pk).update(total=total)
    work(timezone.now() + timedelta(days=8))
    with gate(owner):
        basis = Basis.objects.select_related("version").get(in_force=True)
        assert at - basis.epoch < timedelta(days=1)
        assert basis.version.number == 1
        now = {pk: basis.now(total, at) for pk, total in totals().items()}
        assert now == pytest.approx(seen, rel=1e-6)


def test_what_has_faded_for_years_keeps_no_basis_from_being_filled(gate, owner, work):
    """2^-1200 is no number to a database; it is nothing."""
    with gate(owner) as at:
        (got,) = receive(owner.workspace, [Capture(email="long@ago.example")], at=at)
        for days in (1200, 1073.5, 1040, 3):
            touch(got.lead, "form", at=at, occurred_at=at - timedelta(days=days))
    work()
    basis = publish(gate, owner, work, rules(half_life_days=1), again=True)
    with gate(owner):
        assert (basis.half_life, totals()[got.lead.pk] > 0) == (1, True)
    sound()


def test_while_a_version_comes_in_force_nothing_can_be_changed(crowd, gate, owner):
    with gate(owner) as at:
        changing.save_draft(rules(half_life_days=7), by=owner, at=at)
        changing.publish(again=False, why="", by=owner, at=at)
        for change in (
            lambda: changing.save_draft(rules(half_life_days=8), by=owner, at=at),
            lambda: changing.publish(again=True, why="", by=owner, at=at),
            lambda: changing.drop_draft(by=owner, at=at),
        ):
            with pytest.raises(changing.Busy):
                change()


def test_a_dropped_draft_leaves_nothing_behind(crowd, gate, owner, work):
    with gate(owner) as at:
        rows = ScorePoint.objects.count()
        changing.save_draft(rules(half_life_days=7), by=owner, at=at)
        changing.try_out(again=True, by=owner, at=at)
    work()
    with gate(owner) as at:
        assert ScorePoint.objects.count() > rows
        changing.drop_draft(by=owner, at=at)
    work()
    with gate(owner):
        assert (ScorePoint.objects.count(), LeadScore.objects.count()) == (rows, 12)
        assert RuleVersion.objects.count() == Basis.objects.count() == 1


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("half_life_days", {"half_life_days": 0}),
        ("half_life_days", {"half_life_days": 1000}),
        ("fit_a", {"fit_bands": {"A": 50, "B": 50, "C": 25}}),
        ("cut_3", {"engagement_cuts": [10, 5, 50]}),
        ("cut_2", {"engagement_cuts": [0, 5, 50]}),
        ("fit.0.points", {"fit": [{"key": "a", "field": "name", "when": "filled", "points": 10**9}]}),
        ("fit.0.points", {"fit": [{"key": "a", "field": "name", "when": "filled", "points": 0}]}),
        ("fit.0.field", {"fit": [{"key": "a", "field": "fields.none", "when": "filled", "points": 1}]}),
        ("fit.0.field", {"fit": [{"key": "a", "field": "workspace", "when": "filled", "points": 1}]}),
        ("fit.0.when", {"fit": [{"key": "a", "field": "name", "when": "business", "points": 1}]}),
        ("fit.0.when", {"fit": [{"key": "a", "field": "name", "when": "range", "value": {"from": "1"}, "points": 1}]}),
        ("fit.0.value", {"fit": [{"key": "a", "field": "name", "when": "is", "value": "", "points": 1}]}),
        ("fit.1", {"fit": [{"key": k, "field": "name", "when": "filled", "points": 1} for k in "ab"]}),
        ("engagement.0.kind", {"engagement": [{"key": "a", "kind": "moved", "points": 1}]}),
        ("engagement.0.cap", {"engagement": [{"key": "a", "kind": "form", "points": 5, "cap": 4}]}),
        ("engagement.0.page", {"engagement": [{"key": "a", "kind": "form", "points": 5, "page": "a*" * 40}]}),
        ("engagement.0.page", {"engagement": [{"key": "a", "kind": "form", "points": 5, "page": "*"}]}),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_are_refused_by_their_place_and_nothing_is_kept(owner, gate, part, change):
    with gate(owner) as at:
        with pytest.raises(Refused) as refused:
            changing.save_draft(rules(**change), by=owner, at=at)
        assert part in refused.value.errors
        assert not RuleDraft.objects.exists()
