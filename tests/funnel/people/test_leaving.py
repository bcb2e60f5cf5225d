"""Somebody leaves: nothing that they held is dropped."""

import pytest
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from funnel.mail.links import invitation_link
from funnel.outbox.models import Event
from funnel.people import actions as people
from funnel.people import leaving
from funnel.people.checklist import counted, steps
from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import ApiKey, AuditEntry, Invitation, Member
from funnel.workspaces.tally import tally
from sales.queue.models import Task

pytestmark = pytest.mark.django_db


@pytest.fixture
def taken(gate, new_lead):
    """A lead in conversation with the member."""

    def made(member, name):
        lead = new_lead(member, name)
        with gate(member) as at:
            return handoff.keep(Lead.objects.get(pk=lead.pk), by=member, at=at)

    return made


def remove(client, member, **fields):
    return client.post(reverse("member-remove", args=[member.pk]), fields)


def test_the_page_asks_who_takes_over_and_changes_nothing(owner, rep, other_rep, browse, taken):
    taken(rep, "Anna Ahlberg")
    page = browse(owner).get(reverse("member-remove", args=[rep.pk]))
    assert page.status_code == 200
    words = page.content.decode()
    assert "Who takes over from Rita Rep?" in words
    idle = browse(owner).get(reverse("member-remove", args=[other_rep.pk])).content.decode()
    assert ("Remove Otto Rep?" in idle, "Who takes over" in idle) == (True, False)
    assert other_rep.name in words
    rep.refresh_from_db()
    assert rep.active


def test_leads_go_by_turn_with_their_stage_and_next_steps(owner, rep, other_rep, manager, browse, gate, taken):
    leads = [taken(rep, f"Person{number} One") for number in range(3)]
    with gate(owner) as at:
        Member.objects.filter(pk=manager.pk).update(takes_leads=True)
        for lead in leads:
            Task.objects.create(workspace=owner.workspace, lead=lead, holder=rep, what="Call", due_at=at, made_at=at)
    assert remove(browse(owner), rep).status_code == 302
    with gate(owner):
        now = list(Lead.objects.filter(pk__in=[lead.pk for lead in leads]))
        assert {lead.stage for lead in now} == {"working"}
        assert sorted(lead.holder.name for lead in now).count(other_rep.name) in (1, 2)
        assert all(lead.holder_id in (other_rep.pk, manager.pk) for lead in now)
        assert all(task.holder_id == task.lead.holder_id for task in Task.objects.select_related("lead"))
        assert Event.objects.filter(kind="passed_on").count() == 3
        entry = AuditEntry.objects.get(action="removed")
    assert entry.target == rep.email
    rep.refresh_from_db()
    assert (rep.active, rep.takes_leads) == (False, False)


@pytest.mark.parametrize("named", [False, True])
def test_the_lead_says_why_it_went_to_whoever_took_over(named, owner, rep, other_rep, browse, taken):
    lead = taken(rep, "Anna Ahlberg")
    assert remove(browse(owner), rep, **({"to": str(other_rep.pk)} if named else {})).status_code == 302
    page = browse(owner).get(reverse("lead", args=[lead.pk])).content.decode()
    says = "Olga Owner chose Otto Rep to take over." if named else "Number 1 in turn."
    assert says in page[page.index('id="why-now"') : page.index('id="timeline"')]


def test_leads_go_to_the_one_who_is_named(owner, rep, other_rep, browse, gate, taken):
    lead = taken(rep, "Anna Ahlberg")
    assert remove(browse(owner), rep, to=str(owner.pk)).status_code == 302
    with gate(owner):
        lead.refresh_from_db()
        assert (lead.holder, lead.stage) == (owner, "working")


def test_without_anybody_who_takes_leads_the_owner_takes_over(owner, rep, browse, gate, taken):
    lead = taken(rep, "Anna Ahlberg")
    assert remove(browse(owner), rep).status_code == 302
    with gate(owner):
        lead.refresh_from_db()
        assert lead.holder == owner


def test_a_marketer_or_a_stranger_cannot_take_over(owner, rep, marketer, outsider, browse, gate, taken):
    lead = taken(rep, "Anna Ahlberg")
    for heir in (marketer, outsider, rep):
        assert remove(browse(owner), rep, to=str(heir.pk)).status_code == 422
    rep.refresh_from_db()
    assert rep.active
    with gate(owner):
        lead.refresh_from_db()
        assert lead.holder == rep


def test_what_waits_for_them_is_offered_to_somebody_else_at_once(owner, rep, other_rep, browse, gate, open_handoff):
    one = open_handoff(rep)
    assert remove(browse(owner), rep).status_code == 302
    with gate(owner):
        one.refresh_from_db()
        assert one.outcome == "rerouted"
        assert Handoff.objects.open().get(lead=one.lead_id).offered_to == other_rep


def test_what_nobody_else_can_take_goes_to_the_pool(owner, rep, browse, gate, open_handoff):
    one = open_handoff(rep)
    assert remove(browse(owner), rep).status_code == 302
    with gate(owner):
        assert Handoff.objects.pool().get(lead=one.lead_id)


def test_they_come_in_no_more_and_their_keys_are_refused(owner, rep, browse, api):
    client, key = browse(rep), api(rep)
    assert client.get(reverse("me")).status_code == 200
    assert key.get("leads/").status_code == 200
    assert remove(browse(owner), rep).status_code == 302
    assert client.get(reverse("me")).status_code == 302
    assert key.get("leads/").status_code == 401


def test_a_key_that_is_handed_on_works_for_who_took_it(owner, rep, browse, api):
    key = api(rep)
    with everywhere():
        row = ApiKey.objects.get(member=rep)
    assert remove(browse(owner), rep, keys=[str(row.pk)]).status_code == 302
    assert key.get("leads/").status_code == 200
    with everywhere():
        row.refresh_from_db()
    assert row.member_id == owner.pk


def test_the_last_owner_cannot_go_and_is_not_asked(owner, manager, browse):
    page = browse(owner).get(reverse("people")).content.decode()
    assert reverse("member-remove", args=[owner.pk]) not in page
    assert reverse("member-remove", args=[manager.pk]) in page
    assert remove(browse(owner), owner).status_code == 409
    assert remove(browse(manager), owner).status_code == 403
    owner.refresh_from_db()
    assert owner.active


def test_who_left_can_be_invited_back(owner, rep, browse, gate):
    remove(browse(owner), rep)
    client = browse(owner)
    assert client.post(reverse("invite"), {"email": rep.email, "role": "rep"}).status_code == 302
    with gate(owner):
        link = invitation_link(Invitation.objects.get()).removeprefix("http://127.0.0.1:8000")
    assert browse(rep).post(link).status_code == 302
    rep.refresh_from_db()
    assert (rep.active, rep.takes_leads) == (True, True)


def test_the_checklist_ticks_itself_off_by_facts(owner, rep, gate, settings):
    with gate(owner) as at:
        listed = {step["key"]: step for step in steps(owner.workspace, owner, at, tally(counted(owner.workspace)))}
        assert (listed["start"]["done"], listed["invite"]["done"], listed["mail"]["done"]) == (True, True, False)
        assert sum(step["now"] for step in listed.values()) == 1
        Member.objects.filter(pk=rep.pk).update(active=False)
        settings.EMAIL_URL = "smtp://localhost"
        owner.workspace.mail_proved_at = at
        listed = {step["key"]: step for step in steps(owner.workspace, owner, at, tally(counted(owner.workspace)))}
        assert (listed["invite"]["done"], listed["mail"]["done"]) == (False, True)


def test_a_key_that_was_not_handed_on_stays_dead_when_its_member_comes_back(owner, rep, api, gate):
    keyed = api(rep)
    assert keyed.get("leads/").status_code == 200
    with gate(owner) as at:
        leaving.remove(rep, by=owner, at=at)
        again = people.invite(rep.email, role="rep", by=owner, at=at)
        assert people.join(again, user=rep.user, workspace=owner.workspace, at=at).active
    assert keyed.get("leads/").status_code == 401


def test_who_was_removed_meanwhile_can_not_take_over(owner, rep, other_rep, gate, taken):
    taken(rep, "Anna Ahlberg")
    with gate(owner) as at:
        seen_before = Member.objects.select_related("user").get(pk=other_rep.pk)
        leaving.remove(other_rep, by=owner, at=at)
        with pytest.raises(leaving.CantTakeOver):
            leaving.remove(rep, by=owner, at=at, successor=seen_before)
