"""From a capture into a rep's hands, and back."""

from datetime import timedelta

import pytest
from django.utils import timezone

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason, Handoff, Outcome
from funnel.leads.actions import edit, touch
from funnel.leads.fields import define
from funnel.leads.identity import Capture, Refused
from funnel.leads.models import Company, Lead
from funnel.leads.receiving import receive
from funnel.mail.models import Message
from funnel.outbox.models import Event
from funnel.scoring import changing
from funnel.scoring.rules import default_rules
from funnel.templatetags.words import day

ASKS = {"kind": "form", "asks": True, "data": {"form": "Contact us"}}


@pytest.fixture
def asked(gate, rep, work):
    """A lead who asked for contact and now waits for the rep."""
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(name="Ann Bell", email="ann@bell.example", **ASKS)], at=at)
    work()
    return got.lead


def test_asking_for_contact_hands_over_whatever_the_score(asked, rep, gate):
    with gate(rep):
        one = Handoff.objects.get(lead=asked)
        assert (one.offered_to, one.outcome) == (rep, Outcome.OPEN)
        assert one.card["why"].startswith("Asked for contact with “Contact us”")
        assert "turn" in one.route["says"]
        lead = Lead.objects.get()
        assert (lead.stage, lead.holder) == ("ready", None)


def test_the_rep_is_told_once_however_often_the_worker_looks(asked, rep, gate, work):
    work()
    with gate(rep):
        assert list(Message.objects.values_list("kind", "to_email")) == [("handoff", rep.email)]


def test_three_forms_on_one_day_make_a_named_lead_with_phone_and_company_ready(gate, rep, work):
    for count in (1, 2, 3):
        with gate(rep) as at:
            receive(
                rep.workspace,
                [Capture(kind="form", name="Ann", phone="01632 960142", company="Bell", data={"form": "F"})],
                at=at,
            )
        work()
        with gate(rep):
            assert Lead.objects.get().stage == ("ready" if count == 3 else "nurturing")


def test_a_taken_lead_is_held_and_the_company_with_it(asked, rep, other_rep, gate):
    with gate(rep) as at:
        lead = handoff.accept(Lead.objects.get(), by=rep, at=at)
        assert (lead.stage, lead.holder) == ("working", rep)
        assert Handoff.objects.get().outcome == Outcome.ACCEPTED
        assert Company.objects.get().holder == rep
        assert handoff.accept(lead, by=rep, at=at).holder == rep, "asking again for one's own is no error"
        with pytest.raises(handoff.AlreadyTaken, match="Rita Rep has already taken this lead"):
            handoff.accept(lead, by=other_rep, at=at)


def test_a_rep_cannot_take_what_waits_for_another(asked, rep, other_rep, gate):
    with gate(rep) as at:
        lead = Lead.objects.get()
        with pytest.raises(handoff.NotYours, match="waits for Rita Rep"):
            handoff.accept(lead, by=other_rep, at=at)
        assert Lead.objects.get().stage == "ready"


def test_without_anybody_who_takes_leads_it_goes_to_the_pool(gate, owner, viewer, work):
    with gate(owner) as at:
        receive(owner.workspace, [Capture(email="ann@bell.example", **ASKS)], at=at)
    work()
    with gate(owner):
        one = Handoff.objects.get()
        assert one.offered_to is None
        assert one.route["says"] == "Nobody takes leads at the moment."
        assert list(Message.objects.values_list("to_email", flat=True)) == [owner.email]


def test_leads_go_round_fairly(gate, rep, other_rep, work):
    with gate(rep) as at:
        receive(rep.workspace, [Capture(email=f"a{n}@mail.example", **ASKS) for n in range(10)], at=at)
    work()
    with gate(rep):
        shares = [Handoff.objects.filter(offered_to=one).count() for one in (rep, other_rep)]
        # They share a mail domain, but nobody holds that company yet.
        assert shares == [5, 5]


def test_a_colleague_of_somebody_with_a_rep_goes_to_the_same_rep(gate, asked, rep, other_rep, work):
    with gate(rep) as at:
        handoff.accept(Lead.objects.get(), by=rep, at=at)
        receive(
            rep.workspace,
            [Capture(email="joe@bell.example", **ASKS), Capture(email="kim@bell.example", **ASKS)],
            at=at,
        )
    work()
    with gate(rep):
        assert [one.offered_to for one in Handoff.objects.open()] == [rep, rep]
        assert "has this company" in Handoff.objects.open()[0].route["says"]


@pytest.mark.parametrize("taken", [False, True])
def test_a_lead_given_back_goes_on_with_marketing_and_cools_down(taken, asked, rep, gate, work):
    with gate(rep) as at:
        lead = Lead.objects.get()
        if taken:
            handoff.accept(lead, by=rep, at=at)
        reason = GiveBackReason.objects.get(key="no-answer")
        handoff.give_back(lead, reason=reason, note="Three calls", by=rep, at=at)
        lead = Lead.objects.get()
        assert (lead.stage, lead.holder) == ("nurturing", None)
        assert lead.cool_until == at + timedelta(days=30)
        one = Handoff.objects.get()
        assert one.outcome == (Outcome.ACCEPTED if taken else Outcome.GIVEN_BACK)
        assert (one.reason, one.note, one.given_back_at) == (reason, "Three calls", at)
        for _ in range(5):
            touch(lead, "meeting", at=at)
    work()
    with gate(rep):
        assert Lead.objects.get().stage == "nurturing", "inside the cool-down a touch opens nothing"


def test_asking_again_ends_the_cool_down_and_reaches_the_same_rep(asked, rep, other_rep, gate, work):
    with gate(rep) as at:
        handoff.give_back(Lead.objects.get(), reason=GiveBackReason.objects.get(key="no-budget"), by=rep, at=at)
        touch(Lead.objects.get(), "contact_request", at=at)
    work()
    with gate(rep):
        assert Handoff.objects.open().get().offered_to == rep
        assert Lead.objects.get().cool_until is None


def test_a_promised_day_hands_over_whatever_the_score(asked, rep, gate, work):
    with gate(rep) as at:
        until = at + timedelta(days=40)
        with pytest.raises(Refused):
            handoff.give_back(
                Lead.objects.get(), reason=GiveBackReason.objects.get(key="not-now"), by=rep, at=at,
                until=at - timedelta(days=1),
            )  # fmt: skip
        handoff.give_back(
            Lead.objects.get(), reason=GiveBackReason.objects.get(key="not-now"), by=rep, at=at, until=until
        )
    work(at=until - timedelta(minutes=1))
    with gate(rep):
        assert not Handoff.objects.open().exists()
    work(at=until + timedelta(minutes=1))
    with gate(rep):
        assert "promised day" in Handoff.objects.open().get().card["why"]


def test_not_a_fit_ends_it_and_coming_back_is_listed(asked, rep, gate, work):
    with gate(rep) as at:
        handoff.give_back(Lead.objects.get(), reason=GiveBackReason.objects.get(key="not-a-fit"), by=rep, at=at)
        touch(Lead.objects.get(), "contact_request", at=at)
    work()
    with gate(rep):
        assert Lead.objects.get().stage == "disqualified"
        assert Event.objects.filter(kind="came_back").count() == 1
        assert not Handoff.objects.open().exists()


def test_the_clock_reminds_escalates_and_passes_on_each_once(asked, rep, other_rep, owner, gate, work):
    with gate(rep):
        first = Handoff.objects.get()
    for moment in (first.remind_at, first.due_at, first.reroute_at):
        for _ in range(2):
            work(at=moment + timedelta(seconds=5))
    with gate(rep):
        kinds = list(Message.objects.exclude(kind="weekly").order_by("created_at").values_list("kind", "to_email"))
        assert kinds == [
            ("handoff", rep.email),
            ("handoff-reminder", rep.email),
            ("handoff-late", owner.email),
            ("gone-on", rep.email),
            ("handoff", other_rep.email),
        ]
        first.refresh_from_db()
        second = Handoff.objects.open().get()
        assert (first.outcome, second.follows, second.offered_to) == (Outcome.EXPIRED, first, other_rep)
        assert Lead.objects.get().stage == "ready"


def test_when_everybody_had_it_the_pool_keeps_it_open_and_late(asked, rep, other_rep, gate, work):
    for _ in range(2):
        with gate(rep):
            one = Handoff.objects.open().get()
        for moment in (one.remind_at, one.due_at, one.reroute_at):
            work(at=moment + timedelta(seconds=5))
    with gate(rep):
        pooled = Handoff.objects.open().get()
        assert pooled.offered_to is None
    for moment in (pooled.remind_at, pooled.due_at, pooled.reroute_at):
        work(at=moment + timedelta(seconds=5))
    with gate(rep):
        assert Handoff.objects.open().get() == pooled


def test_bulk_and_past_wait_for_a_go(gate, rep, manager, work):
    with gate(rep) as at:
        long_ago = at - timedelta(days=2)
        (got,) = receive(rep.workspace, [Capture(name="Ann", phone="01632 960142", company="Bell")], at=at, by=manager)
        for hours in range(3):
            touch(got.lead, "form", at=at, occurred_at=long_ago + timedelta(minutes=hours))
    work()
    with gate(rep) as at:
        lead = Lead.objects.get()
        assert (lead.stage, lead.waits_since is not None) == ("nurturing", True)
        assert not Handoff.objects.exists()
        with pytest.raises(handoff.NotYours):
            handoff.go([lead.pk], by=rep, workspace=rep.workspace, at=at)
        handoff.go([lead.pk], by=manager, workspace=rep.workspace, at=at)
        assert Lead.objects.get().stage == "ready"
        assert Lead.objects.get().waits_since is None


def test_who_waits_for_a_go_is_handed_over_by_what_they_do_next_even_if_they_cooled_meanwhile(gate, rep, work):
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(email="a@one.example")], at=at)
    work()
    with gate(rep) as at:
        Lead.objects.update(waits_since=at - timedelta(days=90), stage="nurturing")
        touch(got.lead, "page_view", at=at, occurred_at=at - timedelta(days=2))
    work()
    with gate(rep) as at:
        assert not Handoff.objects.exists(), "what is past opens nothing"
        touch(got.lead, "page_view", at=at)
    work()
    with gate(rep):
        assert Handoff.objects.open().count() == 1
        assert Lead.objects.get().waits_since is None


def test_a_capture_told_to_hold_back_opens_nothing(gate, rep, work):
    with gate(rep) as at:
        receive(rep.workspace, [Capture(email="a@b.example", handover=False, **ASKS)], at=at)
    work()
    with gate(rep):
        assert not Handoff.objects.exists()
        assert Lead.objects.get().stage == "nurturing"


def test_a_reps_own_lead_is_never_routed_away(gate, rep, other_rep, work):
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(email="a@b.example", **ASKS)], at=at, by=rep)
        handoff.keep(got.lead, by=rep, at=at)
    work()
    with gate(rep):
        lead = Lead.objects.get()
        assert (lead.stage, lead.holder) == ("working", rep)
        assert not Handoff.objects.exists()


@pytest.fixture
def marketings(gate, rep, work):
    """A lead who is with marketing, in the stage asked for; then we correct the phone number."""

    def corrected(stage, **also):
        with gate(rep) as at:
            (got,) = receive(rep.workspace, [Capture(name="Ann Bell", email="ann@bell.example")], at=at)
        work()
        with gate(rep) as at:
            Lead.objects.filter(pk=got.lead.pk).update(stage=stage, **also)
            edit(got.lead, {"phone": "01632 960142"}, by=rep, at=at)
        work()

    return corrected


def test_our_own_correction_does_not_stand_for_the_go(marketings, rep, gate):
    marketings("nurturing", waits_since=timezone.now())
    with gate(rep):
        assert not Handoff.objects.exists()
        assert Lead.objects.get().waits_since is not None


@pytest.mark.parametrize("stage", ["lost", "disqualified"])
def test_our_own_correction_brings_nobody_back(marketings, rep, gate, stage):
    marketings(stage)
    with gate(rep):
        assert Lead.objects.get().stage == stage
        assert not Event.objects.filter(kind="came_back").exists()


def test_nobody_is_promised_a_day_that_no_page_could_show(asked, rep, gate):
    with gate(rep) as at:
        reason = GiveBackReason.objects.get(key="not-now")
        far = at.replace(year=9999, month=12, day=31)
        with pytest.raises(Refused, match="five years"):
            handoff.give_back(asked, reason=reason, by=rep, at=at, until=far)
        assert Handoff.objects.get().is_open


def test_the_sentence_says_what_counted_most_and_what_we_know(rep, gate, work):
    with gate(rep) as at:
        define("Staff", "number", by=rep, at=at)
        rules = default_rules()
        staff = {"key": "staff", "field": "fields.staff", "when": "range", "value": {"from": "10"}, "points": 9}
        rules["fit"].append(staff)
        changing.save_draft(rules, by=rep, at=at)
        changing.publish(again=False, why="", by=rep, at=at)
    work()
    with gate(rep) as at:
        about = {"name": "Ann", "phone": "01632 960142", "company": "Bell", "fields": {"staff": "25"}}
        (got,) = receive(rep.workspace, [Capture(email="ann@bell.example", **about)], at=at)
        touch(got.lead, "meeting", at=at, occurred_at=at - timedelta(days=2), source=("Flyer", "", ""))
        for minutes in (5, 3, 1):
            touch(got.lead, "visit", at=at, occurred_at=at - timedelta(minutes=minutes))
    work()
    with gate(rep) as at:
        on = [day(rep.workspace.local(at - timedelta(days=days)).date()) for days in (2, 0)]
        assert Handoff.objects.get().card["why"] == (
            f"Met us on {on[0]}, from Flyer; visited us on {on[1]}, third time in seven days; writes from bell.example;"
            " Staff: 25; fit A, engagement 3"
        )


def test_who_asks_reads_with_what_else_they_did_and_what_we_know(rep, gate, work):
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(email="ann@bell.example", name="Ann")], at=at)
        touch(got.lead, "visit", at=at, occurred_at=at - timedelta(days=1))
    work()
    with gate(rep) as at:
        touch(got.lead, "contact_request", at=at, source=("radio", "", ""))
    work()
    with gate(rep) as at:
        on = day(rep.workspace.local(at - timedelta(days=1)).date())
        assert Handoff.objects.get().card["why"] == (
            f"Asked to be contacted, from radio; visited us on {on}; writes from bell.example"
        )
