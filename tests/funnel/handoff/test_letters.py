"""Of many handoffs at once each person reads in one letter, and of each handoff once."""

import re
from collections import Counter
from datetime import timedelta

import pytest

from funnel.handoff.models import Handoff
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.mail.models import Message
from funnel.mail.sending import html_of, text_of
from funnel.outbox import drain
from funnel.workspaces.models import Member
from tests.conftest import make_member

MINUTE = timedelta(minutes=1)


@pytest.fixture
def come(workspace, gate, work):
    """So many people ask for contact at once."""

    def asked(many):
        with gate(workspace) as at:
            captures = [
                Capture(kind="form", name=f"Ann {n:02}", email=f"a{n}@firm{n}.example", asks=True) for n in range(many)
            ]
            receive(workspace, captures, at=at)

    return asked


def told(kind, workspace):
    """How often each person reads of each lead in letters of a kind and its like for several."""
    letters = Message.objects.filter(kind__in=(kind, f"{kind}-several"))
    leads = {str(lead.pk): lead.name for lead in Lead.objects.all()}
    return Counter(
        (one.to_email, leads[pk])
        for one in letters
        for pk in re.findall(r"/leads/([0-9a-f-]{36})/", text_of(one, workspace, hidden=False))
    )


def test_of_many_that_come_into_the_pool_each_person_reads_in_one_letter(come, owner, manager, gate, work):
    come(25)
    work()
    with gate(owner):
        letters = list(Message.objects.filter(kind__startswith="handoff"))
        assert sorted(one.to_email for one in letters) == sorted([owner.email, manager.email])
        assert {one.subject for one in letters} == {"25 new leads in the pool"}
        text, html = text_of(letters[0], owner.workspace), html_of(letters[0], owner.workspace)
        first = Handoff.objects.order_by("due_at").first()
        assert f"- {first.lead}\n  In the pool, to be taken by " in text
        assert f"/leads/{first.lead_id}/" in text
        assert f'/leads/{first.lead_id}/"><b>{first.lead}</b></a>' in html
        assert text.count("- Ann ") == 20
        assert "and 5 more\n" in text
        assert re.search(r"Open and take them:\nhttps?://[^/]+/handoffs/\n", text)


def test_whoever_is_offered_several_reads_in_one_letter_why_and_until_when(come, owner, rep, other_rep, gate, work):
    come(5)
    work()
    with gate(owner):
        letters = {one.member: one for one in Message.objects.filter(kind__startswith="handoff")}
        shares = {who: list(Handoff.objects.filter(offered_to=who)) for who in (rep, other_rep)}
        assert letters.keys() == shares.keys()
        for who, theirs in shares.items():
            assert letters[who].subject == f"{len(theirs)} new leads for you"
            text = text_of(letters[who], owner.workspace)
            assert text.count("Waits for you, to be taken by ") == len(theirs)
            assert all(one.card["why"] in text for one in theirs)


def test_whoever_gets_several_that_had_somebody_else_reads_since_when_they_wait(come, owner, rep, gate, work):
    come(3)
    work()
    other = make_member(owner.workspace, "rep", "Theo Third", takes_leads=True)
    with gate(owner):
        late = Handoff.objects.first().reroute_at + MINUTE
    work(at=late)
    with gate(owner):
        assert set(Handoff.objects.open().values_list("offered_to", flat=True)) == {other.pk}
        said = text_of(Message.objects.get(member=other, kind="handoff-several"), owner.workspace)
        assert said.count("They have waited since ") == 3


def test_of_one_that_comes_alone_the_letter_says_all(come, rep, gate, work):
    come(1)
    work()
    with gate(rep):
        assert list(Message.objects.values_list("kind", "subject")) == [("handoff", "New lead for you: Ann 00")]


def test_of_one_in_the_pool_the_letter_does_not_say_that_it_is_yours(come, rep, gate, work):
    with gate(rep):
        Member.objects.update(weekly_leads=0)
    come(1)
    work()
    with gate(rep):
        letter = Message.objects.filter(kind="handoff").first()
        assert letter.subject == "New lead in the pool: Ann 00"
        assert "ready for you" not in text_of(letter, rep.workspace)


def test_of_several_that_are_half_over_or_late_each_person_reads_in_one_letter(come, owner, rep, gate, work):
    come(3)
    work()
    with gate(rep):
        offered = Handoff.objects.first()
    for moment in (offered.remind_at, offered.due_at):
        work(at=moment + MINUTE)
    with gate(rep):
        letters = Message.objects.filter(kind__startswith="handoff-").exclude(kind="handoff-several")
        assert list(letters.order_by("created_at").values_list("subject", "to_email")) == [
            ("3 leads still wait for you", rep.email),
            ("3 leads are late", owner.email),
        ]
        late = text_of(letters.get(kind="handoff-late-several"), rep.workspace)
        assert late.count("Waits for Rita Rep, late since ") == 3
        assert set(Handoff.objects.values_list("escalated_at", flat=True)) == {offered.due_at + MINUTE}


def test_who_is_offered_some_and_may_take_others_reads_how_many_of_each(come, owner, rep, gate, work):
    come(4)
    work()
    with gate(owner):
        one = Handoff.objects.first()
        Handoff.objects.exclude(pk=one.pk).update(offered_to=None)
    work(at=one.remind_at + MINUTE)
    with gate(owner):
        reminders = Message.objects.filter(kind__startswith="handoff-reminder")
        assert dict(reminders.values_list("to_email", "subject")) == {
            rep.email: "4 leads still wait: 1 for you, 3 in the pool",
            owner.email: "3 leads still wait in the pool",
        }


def test_a_machine_that_does_little_at_a_time_tells_of_all_in_one_letter_too(come, owner, gate, work, monkeypatch):
    monkeypatch.setattr(drain, "_pace", lambda size, worked, took: 2)
    come(5)
    work()
    with gate(owner):
        assert list(Message.objects.values_list("subject", flat=True)) == ["5 new leads in the pool"]


class Died(BaseException):
    """The worker ends here."""


@pytest.mark.parametrize("parts", [200, 2])
def test_a_worker_that_dies_before_it_is_through_tells_each_person_of_each_lead_once(
    parts, come, owner, manager, gate, work, monkeypatch
):
    come(5)
    settle, dies = drain._settle, []

    def settles(effects, unfinished, at):
        # In parts of two the first is told of when it dies; what is left is told of one by one.
        if effects[0].handler == "notify" and len(dies) < 2:
            dies.append(len(effects))
            if parts == 200 or len(dies) == 2:
                dies.append(0)
                raise Died
        return settle(effects, unfinished, at)

    monkeypatch.setattr(drain, "CLAIM", parts)
    monkeypatch.setattr(drain, "_settle", settles)
    with pytest.raises(Died):
        work()
    with gate(owner) as at:
        before = Message.objects.filter(kind__startswith="handoff").count()
        assert before == (0 if parts == 200 else 2)
    work(at=at + MINUTE)
    with gate(owner):
        people, leads = (owner.email, manager.email), Lead.objects.values_list("name", flat=True)
        assert told("handoff", owner.workspace) == Counter((who, name) for who in people for name in leads)
        assert Member.objects.count() == 2


def test_where_nobody_else_is_left_the_pages_and_the_letter_had_said_that_it_goes_to_the_pool(
    come, rep, manager, browse, gate, work
):
    says = "to somebody else, or to the pool"
    for client, page in ((browse(rep), "/me/"), (browse(manager), "/people/")):
        assert f"goes at once {says}</p>" in client.get(page).content.decode()
    come(1)
    work()
    with gate(rep):
        one = Handoff.objects.get()
    for moment in (one.remind_at, one.due_at, one.reroute_at):
        work(at=moment + MINUTE)
    with gate(rep):
        letter = Message.objects.get(kind="handoff-late")
        assert f"If nobody decides, it goes {says}." in text_of(letter, rep.workspace)
        assert Handoff.objects.open().get().offered_to is None
