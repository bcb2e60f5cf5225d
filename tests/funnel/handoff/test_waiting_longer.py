"""What a lead was promised stays when it goes from one rep to another, and whoever had it is told."""

from datetime import timedelta

import pytest
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.clock import late_first_contacts
from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from funnel.mail.models import Message
from funnel.mail.sending import text_of
from funnel.overview.handoff_figures import passages_of
from funnel.templatetags.words import when
from funnel.workspaces.months import periods_at

DAY = timedelta(days=1)


@pytest.fixture
def late(waiting, rep, gate):
    """An offer to Rita whose time ran out five days ago."""
    one = next(one for one in waiting if one.offered_to == rep)
    with gate(rep) as at:
        moments = ("opened_at", "began_at", "remind_at", "due_at", "reroute_at", "contact_due_at")
        for name in moments:
            setattr(one, name, getattr(one, name) - 7 * DAY)
        one.save(update_fields=moments)
        assert one.due_at < at - 3 * DAY
    return one


def passed_on(browse, owner, late, to):
    sent = {"to": to.pk, "reason": "Rita is ill"}
    assert browse(owner).post(reverse("lead-pass", args=[late.lead_id]), sent).status_code == 302


def test_whoever_gets_a_late_lead_sees_since_when_they_wait(late, owner, other_rep, browse, gate, work):
    passed_on(browse, owner, late, other_rep)
    work()
    with gate(owner) as at:
        now = Handoff.objects.open().get(lead=late.lead_id)
        assert (now.began_at, now.contact_due_at) == (late.began_at, late.contact_due_at)
        assert now.due_at > at, "the new rep has their own time to take it"
        since = f"aits since {when(late.began_at)}"
        letter = Message.objects.get(kind="handoff", member=other_rep, lead=late.lead_id)
        assert "They have waited since" in text_of(letter, owner.workspace, hidden=False)
        others = Message.objects.filter(kind__startswith="handoff").exclude(pk=letter.pk)
        assert others.exists()
        assert not any("have waited" in text_of(one, owner.workspace, hidden=False) for one in others)
    assert since in browse(other_rep).get(reverse("sales:desk")).content.decode()
    page = browse(other_rep).get(reverse("lead", args=[late.lead_id])).content.decode()
    assert since in page
    assert f"Was to be spoken to by {when(late.contact_due_at)}: late." in page
    assert "Waits since" in browse(owner).get(reverse("handoffs")).content.decode()


def test_a_late_lead_that_was_passed_on_is_late_in_the_figures_until_it_is_spoken_to(
    late, owner, other_rep, browse, gate
):
    passed_on(browse, owner, late, other_rep)
    with gate(owner) as at:
        found = [
            one
            for period in periods_at(at, owner.workspace).values()
            for one in passages_of(period, workspace=owner.workspace, at=at)
            if one.lead_id == late.lead_id
        ]
        assert {one.late for one in found} == {True}
        handoff.accept(Lead.objects.get(pk=late.lead_id), by=other_rep, at=at)
        assert [one.lead_id for one in late_first_contacts(at)] == [late.lead_id]


def test_the_pages_agree_that_it_waits_too_long_and_say_who_has_time(late, owner, other_rep, browse, gate):
    passed_on(browse, owner, late, other_rep)
    client = browse(owner)
    with gate(owner) as at:
        now = Handoff.objects.open().get(lead=late.lead_id)
        periods = periods_at(at, owner.workspace)
        since, until = when(late.due_at), when(now.due_at)
    waiting = client.get(reverse("handoffs"))
    assert waiting.context["late"] == 1
    (row,) = [one for one in waiting.context["rows"] if one.too_long_since]
    assert (row.handoff, row.too_long_since) == (now, late.due_at)
    page = waiting.content.decode()
    assert "1 of them too long" in page
    assert "Waits too long since" in page
    assert f"<bdi>{other_rep.first_name}</bdi> has until" in page
    assert "1 of them too long" in client.get("/").content.decode()
    figures = [client.get(reverse("handoff-figures"), {"period": key, "is": "late"}) for key in periods]
    assert {one["says"] for page in figures for one in page.context.get("rows", ())} == {
        f"Waits too long since {since}, {other_rep.name} has until {until}"
    }


def test_a_promise_that_ends_before_the_time_to_take_it_says_that_it_was_made_before(
    late, owner, other_rep, browse, gate
):
    passed_on(browse, owner, late, other_rep)
    with gate(owner) as at:
        Handoff.objects.open().filter(lead=late.lead_id).update(contact_due_at=at + timedelta(minutes=1))
    page = browse(other_rep).get(reverse("lead", args=[late.lead_id])).content.decode()
    assert ", as was promised before it was passed on." in page
    assert "Was to be spoken to" not in page


def test_whoever_had_it_reads_where_it_went_and_why(late, owner, rep, other_rep, browse, gate):
    passed_on(browse, owner, late, other_rep)
    with gate(owner):
        letter = Message.objects.get(kind="gone-on")
        said = text_of(letter, owner.workspace, hidden=False)
    assert letter.member == rep
    assert f"went to {other_rep.name}" in letter.subject
    assert "Olga Owner passed it on: “Rita is ill”." in said


def test_who_held_it_reads_it_too(late, owner, rep, other_rep, gate):
    with gate(owner) as at:
        lead = handoff.accept(Lead.objects.get(pk=late.lead_id), by=rep, at=at)
        passing.pass_lead(lead, to=other_rep, by=owner, at=at, reason="You know them")
        assert set(Message.objects.filter(created_at=at).values_list("kind", "member")) == {
            ("passed-on", other_rep.pk),
            ("gone-on", rep.pk),
        }


def test_several_are_one_letter(waiting, owner, rep, other_rep, gate):
    theirs = [one for one in waiting if one.offered_to == rep]
    with gate(owner) as at:
        how = {"reason": "Ill", "by": owner, "to": other_rep, "at": at, "workspace": owner.workspace}
        passing.pass_several(theirs, **how)
        letter = Message.objects.get(kind="gone-on")
        said = text_of(letter, owner.workspace, hidden=False)
        assert letter.subject == f"{len(theirs)} leads that waited for you went to {other_rep.name}"
        assert all(str(one.lead) in said for one in theirs)


def test_who_passes_their_own_on_is_not_told(waiting, owner, rep, gate):
    one = next(one for one in waiting if one.offered_to == rep)
    with gate(owner) as at:
        passing.pass_on(one, by=rep, at=at, workspace=owner.workspace)
        assert not Message.objects.filter(kind="gone-on").exists()


@pytest.fixture
def closed_since(waiting, rep, owner, gate):
    """Rita took one of her two offers; she was to take the other, and to call the first, when the office closed."""
    mine = [one for one in waiting if one.offered_to == rep]
    with gate(owner) as at:
        handoff.accept(Lead.objects.get(pk=mine[1].lead_id), by=rep, at=at)
        Handoff.objects.filter(pk__in=[one.pk for one in mine]).update(
            due_at=at - timedelta(minutes=1), contact_due_at=at - timedelta(minutes=1)
        )
        open_on = (at.weekday() + 3) % 7
        owner.workspace.hours = [[["09:00", "17:00"]] if day == open_on else [] for day in range(7)]
        owner.workspace.save(update_fields=["hours"])
    return mine


def test_what_was_due_at_closing_time_is_late_on_every_page_all_night(closed_since, owner, rep, browse):
    offer, taken = (one.lead_id for one in closed_since)
    desk = browse(rep).get(reverse("sales:desk"), {"lead": offer})
    assert [row.left < 0 for row in desk.context["groups"][0].rows] == [True]
    assert 'class="clock is-late"' in desk.content.decode()
    handoffs = browse(owner).get(reverse("handoffs"))
    assert handoffs.context["late"] == 1
    assert [row.says for row in handoffs.context["rows"] if row.late] == ["Late"]
    assert handoffs.content.decode().count('class="clock is-late"') == 2, "who is not called yet, too"
    for client, lead in ((browse(owner), offer), (browse(rep), offer), (browse(rep), taken)):
        page = client.get(reverse("lead", args=[lead])).content.decode()
        assert 'class="clock is-late"' in page
    assert "were to be spoken to by" in page
    assert "for Rita, too long" in browse(owner).get("/").content.decode()
    row = next(one for one in browse(owner).get(reverse("leads")).context["rows"] if one.lead.pk == offer)
    assert row.next == "Late"
