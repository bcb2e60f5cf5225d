"""A lead that was given back comes to sales again by the way that was promised, and by no other; it is always said."""

from datetime import timedelta

import pytest
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff import passing, reasons
from funnel.handoff.models import GiveBackReason, Handoff, Way
from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.outbox.kinds import TOUCHES
from funnel.outbox.models import Event
from funnel.overview.rows import basis_in_force
from funnel.scoring.models import LeadScore
from funnel.workspaces.models import Member
from tests.conftest import make_member

ASKS = {"kind": "form", "asks": True, "data": {"form": "Contact us"}}
NEARLY, AFTER = timedelta(days=29, hours=23), timedelta(days=30, minutes=5)


@pytest.fixture
def asked(gate, rep, other_rep, work):
    """A lead with everything a grid asks for, who waits for one of two reps."""
    capture = Capture(name="Ann Bell", email="ann@bell.example", company="Bell", phone="01632 960142", **ASKS)
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [capture], at=at)
    work()
    return got.lead


@pytest.fixture
def back(gate, rep, asked):
    """Give the lead back by a reason that promises this; give the moment."""

    def given(cool_days=30, until=None, note="", **says):
        with gate(rep) as at:
            reason = GiveBackReason(name="As said", cool_days=cool_days, **says)
            reasons.add(reason, workspace=rep.workspace, by=rep, at=at)
            holder = Handoff.objects.open().get().offered_to
            lead = handoff.accept(Lead.objects.get(), by=holder, at=at)
            handoff.give_back(lead, reason=reason, by=holder, at=at, until=until and at + until, note=note)
            return holder, at

    return given


@pytest.fixture
def later(gate, rep, work, asked):
    """At a later moment the lead does these things; how many handoffs are open then."""

    def happens(moment, *kinds):
        work(at=moment - timedelta(seconds=1))
        with gate(rep):
            for kind in kinds:
                touch(Lead.objects.get(), kind, at=moment)
        work(at=moment + timedelta(seconds=1))
        with gate(rep):
            return Handoff.objects.open().count()

    return happens


def test_once_engagement_reaches_the_line_and_not_before(back, later, gate, rep):
    _, at = back(way=Way.ENGAGEMENT, above=60)
    assert later(at + timedelta(days=3), "visit", "meeting") == 0
    assert later(at + AFTER, "page_view") == 0, "over the grid’s line or not: the promise was 60"
    with gate(rep):
        assert Lead.objects.get().stage == "nurturing"
    assert later(at + AFTER + timedelta(hours=1), "visit", "meeting", "promo_event", "call") == 1
    with gate(rep):
        assert (
            Handoff.objects.open()
            .get()
            .card["why"]
            .startswith("Back once engagement reaches 60\N{NO-BREAK SPACE}points: ")
        )
        assert Lead.objects.get().way_back is None


@pytest.mark.parametrize(
    ("above", "acts", "grid", "opened"),
    [(900, ("visit", "meeting", "promo_event", "call"), True, 0), (1, (), False, 1)],
)
def test_the_line_that_was_promised_decides_and_not_the_grid(back, later, gate, rep, above, acts, grid, opened):
    _, at = back(way=Way.ENGAGEMENT, above=above)
    assert later(at + AFTER, *acts) == opened
    with gate(rep):
        basis, score = basis_in_force(), LeadScore.objects.in_force().get()
        band = basis.band(score.total, at + AFTER)
        assert basis.is_ready(score.fit_band, band) is grid


def test_a_worker_that_was_away_keeps_the_last_promise_of_several(back, gate, rep, work):
    _, at = back(way=Way.TOUCH, touch="visit")
    with gate(rep):
        touch(Lead.objects.get(), "contact_request", at=at + timedelta(days=1))
    work(at=at + timedelta(days=1))
    with gate(rep):
        until = at + timedelta(days=40)
        reason = GiveBackReason.objects.get(key="not-now")
        handoff.give_back(
            Lead.objects.get(), reason=reason, by=rep, at=at + timedelta(days=2), until=until, note="Moves"
        )
    for _ in range(2):
        work(at=at + timedelta(days=50))
    with gate(rep):
        assert Handoff.objects.open().get().card["why"].endswith("Moves")


@pytest.mark.parametrize("says", [{}, {"way": Way.ENGAGEMENT, "above": 10}])
def test_without_a_cool_down_it_comes_back_by_what_they_do_next_and_not_at_once(back, later, gate, rep, work, says):
    with gate(rep) as at:
        for kind in ("visit", "meeting", "promo_event", "call"):
            touch(Lead.objects.get(), kind, at=at)
    work()
    _, at = back(cool_days=0, **says)
    assert later(at + timedelta(minutes=5)) == 0
    assert later(at + timedelta(hours=1), "page_view") == 1


def test_who_is_over_the_line_when_the_cool_down_ends_is_offered_then(back, later):
    _, at = back(way=Way.ENGAGEMENT, above=10)
    assert later(at + NEARLY, "visit", "meeting", "promo_event", "call") == 0
    assert later(at + AFTER) == 1


def test_only_the_touch_that_was_named_brings_it_back(back, later, gate, rep):
    _, at = back(way=Way.TOUCH, touch="promo_event")
    assert later(at + NEARLY, "promo_event") == 0
    others = [kind for kind in TOUCHES if kind not in ("promo_event", "contact_request")]
    assert later(at + AFTER, *others) == 0
    with gate(rep):
        assert Lead.objects.get().waits_since is None
    assert later(at + AFTER + timedelta(hours=1), "promo_event") == 1
    with gate(rep):
        assert Handoff.objects.open().get().card["why"].startswith("Back after “Came to an event”: ")


def test_a_named_touch_of_the_past_waits_for_a_go(back, later, gate, rep, work):
    _, at = back(way=Way.TOUCH, touch="visit")
    now = at + AFTER + timedelta(days=3)
    work(at=now - timedelta(seconds=1))
    with gate(rep):
        touch(Lead.objects.get(), "visit", at=now, occurred_at=now - timedelta(days=2))
    work(at=now + timedelta(seconds=1))
    with gate(rep):
        assert Lead.objects.get().waits_since is not None
        assert not Handoff.objects.open().exists()


@pytest.mark.parametrize(
    "says",
    [
        {"way": Way.JUDGED},
        {"way": Way.ENGAGEMENT, "above": 1},
        {"way": Way.TOUCH, "touch": "visit"},
        {"way": Way.DATE, "until": timedelta(days=30)},
    ],
)
def test_nothing_loops_inside_the_cool_down_however_often_they_come(back, later, gate, rep, says):
    _, at = back(**says)
    kinds = [kind for kind in TOUCHES if kind != "contact_request"]
    for day in (0, 1, 2, 9, 29):
        assert later(at + timedelta(days=day, minutes=3), *kinds) == 0
    with gate(rep):
        assert Handoff.objects.count() == 1
        assert Lead.objects.get().stage == "nurturing"
        assert Lead.objects.get().cool_until is not None


@pytest.mark.parametrize("way", [Way.ENGAGEMENT, Way.TOUCH])
def test_asking_for_contact_comes_back_at_once_whatever_was_promised(back, later, way):
    _, at = back(way=way, above=900, touch="visit")
    assert later(at + timedelta(days=1), "contact_request") == 1


def test_not_now_september_comes_back_then_with_its_history_to_the_same_rep(back, later, gate, rep):
    holder, at = back(way=Way.DATE, until=timedelta(days=80), note="Budget in September")
    assert later(at + timedelta(days=79), "visit") == 0
    assert later(at + timedelta(days=80, minutes=1)) == 1
    with gate(rep):
        one = Handoff.objects.open().get()
        assert one.offered_to == holder
        assert "had this person before" in one.route["says"]
        assert one.card["why"] == "The promised day has come. Given back as “As said”: Budget in September"
        assert [row["says"] for row in one.card["touched"]] == ["Visited us", "Sent “Contact us”"]


@pytest.mark.parametrize("how", ["brought by hand", "passed on"])
def test_it_comes_back_to_who_had_it_last_whoever_took_the_handoff(how, gate, rep, other_rep, owner, work):
    """A rep's own lead had no handoff at all; one that was passed on was taken by a colleague."""
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(name="Ann", email="ann@bell.example")], at=at)
        if how == "passed on":
            handoff.open_for([got.lead], why={got.lead.pk: "."}, workspace=rep.workspace, at=at, to=rep)
            lead = handoff.accept(Lead.objects.get(), by=rep, at=at)
            passing.pass_lead(lead, to=other_rep, by=rep, at=at, reason="Away")
        else:
            handoff.keep(got.lead, by=other_rep, at=at)
        lead, reason = Lead.objects.get(), GiveBackReason.objects.get(key="not-now")
        handoff.give_back(lead, reason=reason, by=other_rep, at=at, until=at + timedelta(days=80))
    work(at=at + timedelta(days=80, minutes=1))
    with gate(rep):
        assert Handoff.objects.open().get().offered_to == other_rep


@pytest.mark.parametrize("gone", [{"active": False}, {"takes_leads": False}])
def test_a_rep_who_is_not_there_any_more_is_passed_over(back, later, gate, rep, gone):
    holder, at = back(way=Way.DATE, until=timedelta(days=80))
    with gate(rep):
        Member.objects.filter(pk=holder.pk).update(**gone)
    assert later(at + timedelta(days=80, minutes=1)) == 1
    with gate(rep):
        assert Handoff.objects.open().get().offered_to not in (None, holder)


def test_who_edits_a_reason_changes_nothing_that_was_promised(back, later, gate, rep):
    _, at = back(way=Way.TOUCH, touch="visit")
    with gate(rep):
        reason = GiveBackReason.objects.get(name="As said")
        reason.name, reason.way, reason.above, reason.cool_days = "Else", Way.ENGAGEMENT, 900, 3
        reasons.change(reason, by=rep, at=at)
        assert {"way": "touch", "touch": "visit"}.items() <= Lead.objects.get().way_back.items()
        assert Event.objects.get(kind="handoff_given_back").data["way"] == {"way": "touch", "touch": "visit"}
    assert later(at + timedelta(days=4), "visit") == 0
    assert later(at + AFTER, "visit") == 1


def test_it_is_said_where_the_lead_went_and_when_it_may_come_back(back, rep, browse, gate, api):
    back(way=Way.ENGAGEMENT, above=60)
    with gate(rep):
        lead = Lead.objects.get()
    page = browse(rep).get(reverse("lead", args=[lead.pk])).content.decode()
    assert page.count("then back once engagement reaches 60\N{NO-BREAK SPACE}points") >= 2, (
        "under “with whom” and on the timeline"
    )
    listed = browse(rep).get(reverse("leads")).content.decode()
    assert "Comes back from" in listed
    assert "with 60\N{NO-BREAK SPACE}points" in listed
    home = browse(rep).get(reverse("marketing:home")).content.decode()
    assert "then back once engagement reaches 60\N{NO-BREAK SPACE}points" in home
    told = api(rep).get(f"leads/{lead.pk}/").json()
    assert told["way_back"] == {"way": "engagement", "above": 60}


def test_the_desk_says_it_as_the_answer_to_giving_back(asked, rep, gate, browse):
    with gate(rep):
        holder = Handoff.objects.open().get().offered_to
        GiveBackReason.objects.filter(key="no-answer").update(way=Way.TOUCH, touch="visit")
    posted = browse(holder).post(reverse("sales:give-back", args=[asked.pk]), {"reason": "no-answer"}, follow=True)
    page = posted.content.decode()
    assert "Ann Bell is given back. With marketing until" in page
    assert "then back after “Visited us”." in page


# ── the page of the reasons ──

BUDGET = {"name": "Needs the board’s yes", "cool_days": "45", "way": "engagement", "above": "40", "nurtures": "on"}


def test_a_manager_adds_renames_reorders_and_retires_reasons(owner, manager, rep, browse, gate, asked):
    client = browse(manager)
    made = client.post(reverse("reason-add"), BUDGET, follow=True).content.decode()
    told = "With marketing for 45 days, then back once engagement reaches 40 points; nurture mails"
    assert told in made.replace("\N{NO-BREAK SPACE}", " ")
    with gate(owner):
        one = GiveBackReason.objects.get(key="needs-the-boards-yes")
        assert (one.cool_days, one.way, one.above, one.nurtures, one.position) == (45, "engagement", 40, True, 5)
    client.post(reverse("reason", args=[one.pk]), BUDGET | {"name": "Board"})
    client.post(reverse("reason-move", args=[one.pk]), {"way": "up"})
    with gate(owner):
        names = list(GiveBackReason.objects.values_list("name", flat=True))
        assert names[-2:] == ["Board", "Not a fit for us"]
    assert "Board" in browse(rep).get(reverse("lead", args=[asked.pk])).content.decode()
    gone = client.post(reverse("reason-retire", args=[one.pk]), follow=True).content.decode()
    assert "never used, so it is deleted" in gone
    with gate(owner) as at:
        assert not GiveBackReason.objects.filter(pk=one.pk).exists()
        used = GiveBackReason.objects.get(key="no-answer")
        handoff.give_back(Lead.objects.get(), reason=used, by=owner, at=at)
    assert "given back keep it" in client.post(reverse("reason-retire", args=[used.pk]), follow=True).content.decode()
    with gate(owner):
        assert GiveBackReason.objects.get(pk=used.pk).retired_at is not None
    assert "no-answer" not in [one["key"] for one in browse_reasons(browse, manager)]
    client.post(reverse("reason-again", args=[used.pk]))
    assert "no-answer" in [one["key"] for one in browse_reasons(browse, manager)]


@pytest.mark.parametrize("ends", [{}, {"ends": "yes"}])
def test_days_are_kept_only_where_they_count(manager, browse, gate, ends):
    browse(manager).post(reverse("reason-add"), BUDGET | {"way": "date", "cool_days": "90"} | ends)
    with gate(manager):
        one = GiveBackReason.objects.get(key="needs-the-boards-yes")
        assert (one.cool_days, one.asks_date, one.disqualifies) == (0, not ends, bool(ends))
        assert {shipped.cool_days for shipped in GiveBackReason.objects.all() if shipped.asks_date} <= {0}


def browse_reasons(browse, member):
    page = browse(member).get(reverse("reasons"))
    return [{"key": one.key} for one, _ in page.context["offered"]]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "could NOT reach them"}, "name"),
        ({"cool_days": "-1"}, "cool_days"),
        ({"cool_days": "731"}, "cool_days"),
        ({"way": "engagement", "above": ""}, "above"),
        ({"way": "engagement", "above": "0"}, "above"),
        ({"way": "touch", "touch": ""}, "touch"),
        ({"way": "touch", "touch": "note"}, "touch"),
        ({"way": "by magic"}, "way"),
    ],
)
def test_a_reason_that_cannot_be_is_explained_and_not_kept(manager, browse, gate, given, field):
    answer = browse(manager).post(reverse("reason-add"), BUDGET | given)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    with gate(manager):
        assert GiveBackReason.objects.count() == 5


def test_the_last_reason_stays(manager, browse, gate):
    with gate(manager):
        GiveBackReason.objects.exclude(key="not-now").delete()
        last = GiveBackReason.objects.get()
    answer = browse(manager).post(reverse("reason-retire", args=[last.pk]))
    assert answer.status_code == 409
    assert "Add another before" in answer.content.decode()


def test_a_retired_reason_is_not_taken_by_the_api(asked, rep, gate, api):
    with gate(rep) as at:
        holder = Handoff.objects.open().get().offered_to
        GiveBackReason.objects.filter(key="no-budget").update(retired_at=at)
    answer = api(holder).post(f"leads/{asked.pk}/return/", {"reason": "no-budget"})
    assert answer.status_code == 400
    assert "no-answer" in answer.content.decode()
    assert "no-budget" not in answer.content.decode()


def test_a_person_who_leaves_no_way_open_is_only_listed(back, later, gate, rep, workspace):
    make_member(workspace, "viewer", "Vi Viewer")
    _, at = back(disqualifies=True)
    assert later(at + AFTER, "contact_request") == 0
    with gate(rep):
        assert Lead.objects.get().way_back is None
