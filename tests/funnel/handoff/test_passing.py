"""Passing on by hand, several at once, with a reason that stays."""

from datetime import timedelta

import pytest
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.models import Handoff, Outcome
from funnel.leads.actions import touch
from funnel.leads.models import Company, Lead
from funnel.mail.models import Message
from funnel.mail.sending import text_of
from funnel.outbox.models import Event
from funnel.people.away import take_off
from funnel.workspaces.models import Member
from tests.conftest import make_member


def test_several_are_passed_on_to_one_with_the_reason_on_each(waiting, owner, rep, other_rep, browse, gate, work):
    sent = {"handoff": [one.pk for one in waiting], "to": rep.pk, "reason": "Otto is at the fair"}
    assert browse(owner).post(reverse("handoffs-pass"), sent).status_code == 302
    with gate(owner):
        now = list(Handoff.objects.open())
        assert [one.offered_to for one in now] == [rep] * 4
        assert Handoff.objects.filter(outcome=Outcome.REROUTED).count() == 2, "what waited for Rita stays as it was"
        passed = [one for one in now if one.follows_id]
        assert {one.route["says"] for one in passed} == {"Olga Owner passed it on: “Otto is at the fair”."}
        event = Event.objects.filter(kind="handoff_rerouted").first()
        assert (event.actor, event.data["because"], event.data["from"]) == (owner, "Otto is at the fair", "Otto Rep")
    work()
    page = browse(owner).get(reverse("lead", args=[passed[0].lead_id])).content.decode()
    assert "Otto is at the fair" in page
    with gate(owner):
        letter = Message.objects.filter(kind="handoff-several", member=rep).latest("created_at")
        said = text_of(letter, owner.workspace, hidden=False)
        assert said.count("Olga Owner passed it on: “Otto is at the fair”.") == 2
        assert all(f"/leads/{one.lead_id}/" in said for one in passed)


def test_one_is_passed_on_with_a_reason_that_the_next_one_reads_in_the_mail(waiting, owner, rep, browse, gate, work):
    one = next(one for one in waiting if one.offered_to != rep)
    sent = {"to": rep.pk, "reason": "You know the street"}
    assert browse(owner).post(reverse("lead-pass", args=[one.lead_id]), sent).status_code == 302
    work()
    with gate(owner):
        letter = Message.objects.get(kind="handoff", lead=one.lead_id, member=rep)
        assert "Olga Owner passed it on: “You know the street”." in text_of(letter, owner.workspace, hidden=False)


@pytest.fixture
def held(waiting, rep, gate):
    """A lead that Rita holds and that was promised something."""
    one = next(one for one in waiting if one.offered_to == rep)
    with gate(rep) as at:
        touch(Lead.objects.get(pk=one.lead_id), "form", at=at, data={"promise": "A free roof check"})
        return handoff.accept(Lead.objects.get(pk=one.lead_id), by=rep, at=at)


def test_whoever_gets_a_lead_that_was_held_reads_who_passed_it_on_why_and_what_was_promised(
    held, rep, other_rep, browse, gate, work
):
    sent = {"to": other_rep.pk, "reason": "I am away"}
    assert browse(rep).post(reverse("lead-pass", args=[held.pk]), sent).status_code == 302
    work()
    with gate(rep):
        letter = Message.objects.get(kind="passed-on")
        assert (letter.member, letter.lead_id) == (other_rep, held.pk)
        said = text_of(letter, rep.workspace, hidden=False)
        assert "Rita Rep passed it on: “I am away”." in said
        assert 'WHAT WE PROMISED\n- "A free roof check"' in said
        assert Event.objects.get(kind="passed_on").data["because"] == "I am away"


def test_whoever_passes_a_lead_to_themselves_gets_no_mail(held, manager, gate):
    with gate(manager) as at:
        passing.pass_lead(held, to=manager, by=manager, at=at, reason="Away")
        assert not Message.objects.filter(kind="passed-on").exists()


def test_who_has_no_lead_any_more_cannot_pass_it_on(held, owner, rep, other_rep, gate):
    third = make_member(owner.workspace, "rep", "Theo Third", takes_leads=True)
    with gate(owner) as at:
        seen = Lead.objects.get(pk=held.pk)
        passing.pass_lead(Lead.objects.get(pk=held.pk), to=other_rep, by=owner, at=at, reason="Away")
        with pytest.raises(handoff.NotYours):
            passing.pass_lead(seen, to=third, by=rep, at=at, reason="Away")
        passing.pass_lead(seen, to=other_rep, by=owner, at=at, reason="Away")
        assert Lead.objects.get(pk=held.pk).holder == other_rep
        assert Event.objects.filter(kind="passed_on").count() == 1, "passed to whoever has it: nothing happened"


def test_an_offer_is_not_passed_on_to_somebody_removed_meanwhile(waiting, owner, rep, other_rep, gate):
    one = next(one for one in waiting if one.offered_to == rep)
    with gate(owner) as at:
        Member.objects.filter(pk=other_rep.pk).update(active=False)
        with pytest.raises(handoff.NotYours, match="Otto Rep doesn’t work here any more"):
            passing.pass_on(one, by=owner, to=other_rep, at=at, workspace=owner.workspace)
        assert Handoff.objects.open().get(lead=one.lead_id).pk == one.pk


def test_an_offer_passed_on_to_whoever_has_it_keeps_its_clock(waiting, owner, rep, gate):
    one = next(one for one in waiting if one.offered_to == rep)
    with gate(owner) as at:
        assert passing.pass_on(one, by=owner, to=rep, at=at, workspace=owner.workspace) is None
        assert Handoff.objects.open().get(lead=one.lead_id).pk == one.pk


def test_whoever_is_next_is_somebody_who_has_not_had_it(waiting, owner, rep, other_rep, gate):
    third = make_member(owner.workspace, "rep", "Theo Third", takes_leads=True)
    with gate(owner) as at:
        how = {"reason": "Too busy", "by": owner, "at": at, "workspace": owner.workspace}
        opened = passing.pass_several(waiting, **how)
        assert len(opened) == 4
        was = {one.lead_id: one.offered_to for one in waiting}
        assert all(one.offered_to not in (None, was[one.lead_id]) for one in opened)
        assert "passed it on: “Too busy”. It is " in opened[0].route["says"]
        again = passing.pass_several(opened, **how)
        assert {one.offered_to.name for one in again} <= {rep.name, other_rep.name, third.name}
        last = passing.pass_several(again, **how)
        assert [one.offered_to for one in last] == [None] * 4, "everybody had them: the pool"


def test_what_was_decided_meanwhile_stays(waiting, owner, rep, gate):
    with gate(owner) as at:
        first = waiting[0]
        handoff.accept(Lead.objects.get(pk=first.lead_id), by=first.offered_to, at=at)
        opened = passing.pass_several(waiting, reason="Why", by=owner, at=at, workspace=owner.workspace)
        assert first.lead_id not in {one.lead_id for one in opened}
        assert Handoff.objects.get(pk=first.pk).outcome == Outcome.ACCEPTED


@pytest.mark.parametrize(("sent", "sentence"), [({}, "Choose whom to pass on."), ({"reason": "x"}, "Choose whom")])
def test_without_a_choice_nothing_is_passed_on(sent, sentence, waiting, owner, browse):
    answer = browse(owner).post(reverse("handoffs-pass"), sent)
    assert (answer.status_code, sentence in answer.content.decode()) == (422, True)


def test_without_a_reason_nothing_is_passed_on_and_the_choice_is_kept(waiting, owner, rep, viewer, browse, gate):
    chosen = waiting[0]
    answer = browse(owner).post(reverse("handoffs-pass"), {"handoff": chosen.pk, "reason": "  ", "at": "several"})
    page = answer.content.decode()
    assert page.count("Write why") == 1
    assert (answer.status_code, "Write why; whoever is next reads it." in page) == (422, True)
    with gate(owner) as at:
        assert f'value="{chosen.pk}" form="pass-several" aria-label="Choose {chosen.lead}" checked' in page
        assert Handoff.objects.filter(outcome=Outcome.REROUTED).count() == 0
        with pytest.raises(handoff.NotYours):
            passing.pass_several(waiting, reason="Mine", by=rep, at=at, workspace=owner.workspace)
        with pytest.raises(handoff.NotYours, match="Vera Viewer doesn’t take leads"):
            passing.pass_several(waiting, reason="x", by=owner, to=viewer, at=at, workspace=owner.workspace)
        assert Handoff.objects.open().count() == 4


@pytest.fixture
def orphans(waiting, rep, other_rep, gate):
    """Two leads of somebody who left by another way than the page, with their companies."""
    with gate(rep) as at:
        theirs = [one for one in waiting if one.offered_to == other_rep]
        leads = [handoff.accept(Lead.objects.get(pk=one.lead_id), by=other_rep, at=at) for one in theirs]
        Member.objects.filter(pk=other_rep.pk).update(active=False)
        return leads


@pytest.mark.parametrize("named", [True, False])
def test_leads_with_nobody_active_are_passed_on_in_bulk(named, orphans, owner, rep, other_rep, browse, gate, work):
    page = browse(owner)
    assert "With nobody active" in page.get(reverse("handoffs")).content.decode()
    sent = {"held": [one.pk for one in orphans], "to": rep.pk if named else "", "reason": "Otto left"}
    assert page.post(reverse("handoffs-pass"), sent).status_code == 302
    with gate(owner):
        assert {one.holder for one in Lead.objects.filter(pk__in=[one.pk for one in orphans])} == {rep}
        assert not Company.objects.filter(holder=other_rep).exists()
        said = Event.objects.filter(kind="passed_on").values_list("data", flat=True)
        assert {(one["from"], one["to"], one["because"]) for one in said} == {("Otto Rep", "Rita Rep", "Otto left")}
        letter = Message.objects.get(member=rep, kind__startswith="passed")
        said = text_of(letter, rep.workspace, hidden=False)
        assert letter.subject == "2 leads are with you now"
        assert "Olga Owner passed them on: “Otto left”." in said
        assert all(f"- {one}" in said for one in orphans)
    work()
    assert "With nobody active" not in page.get(reverse("handoffs")).content.decode()


def test_without_anybody_by_turn_somebody_must_be_named(orphans, owner, rep, gate):
    with gate(owner) as at:
        Member.objects.filter(pk=rep.pk).update(takes_leads=False)
        ids = [one.pk for one in orphans]
        with pytest.raises(passing.NobodyThere, match="Nobody takes leads at the moment"):
            passing.pass_held(ids, reason="Left", by=owner, at=at, workspace=owner.workspace)


def test_why_it_went_to_this_one_stays_with_a_lead_that_went_by_turn(orphans, owner, rep, browse, gate):
    sent = {"held": [orphans[0].pk], "reason": "Otto left"}
    assert browse(owner).post(reverse("handoffs-pass"), sent).status_code == 302
    with gate(owner):
        route = Event.objects.get(kind="passed_on").data["route"]
    assert [(one["name"], one["chosen"]) for one in route["rows"]] == [("Rita Rep", True)]
    page = browse(owner).get(reverse("lead", args=[orphans[0].pk])).content.decode()
    assert "It is Rita Rep’s turn" in page[page.index('id="why-now"') : page.index('id="timeline"')]
    assert "It is Rita Rep’s turn" in page[page.index('id="timeline"') :]


@pytest.mark.parametrize("door", ["several", "one", "lead"])
def test_whoever_passes_a_lead_to_somebody_who_is_away_is_told(door, waiting, owner, rep, other_rep, browse, gate):
    one = next(one for one in waiting if one.offered_to == rep)
    with gate(owner) as at:
        first = owner.workspace.local(at).date()
        take_off(other_rep, first, first + timedelta(days=30), by=owner, at=at)
    sent = {"to": other_rep.pk, "reason": "They know them", "handoff": one.pk, "at": "several"}
    address = {
        "several": reverse("handoffs-pass"),
        "one": reverse("handoff-pass", args=[one.pk]),
        "lead": reverse("lead-pass", args=[one.lead_id]),
    }[door]
    page = browse(owner).post(address, sent, follow=True).content.decode()
    assert "Otto Rep is away, up to and including" in page
    with gate(owner):
        assert Handoff.objects.open().get(lead=one.lead_id).offered_to == other_rep
