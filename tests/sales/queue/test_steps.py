"""Next steps: reminded by mail, ticked off, and never left behind when a lead moves."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from funnel.handoff import actions as handoff
from funnel.handoff import passing
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.leads.actions import touch
from funnel.leads.models import Lead
from funnel.mail.models import Message
from funnel.mail.sending import text_of
from funnel.outbox.models import Effect, Event
from funnel.templatetags.words import day, when
from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import Member, Workspace
from sales.close import actions as close
from sales.deals import actions as deals
from sales.demos import actions as demos
from sales.queue import actions as queue
from sales.queue.actions import NextStep
from sales.queue.forms import NextStepForm
from sales.queue.handlers import AGAIN, CAME
from sales.queue.models import Task


def plan(lead, by, gate, *, hours=2, remind=True):
    with gate(by) as at:
        due = at + timedelta(hours=hours)
        return queue.plan(lead, NextStep("Send the offer", due, remind_at=due if remind else None), by=by, at=at)


def mails(gate, member, kind):
    with gate(member):
        return list(Message.objects.filter(kind=kind).values_list("to_email", flat=True))


def test_a_step_is_reminded_when_it_is_due_and_not_before(rep, taken, gate, work):
    plan(taken(rep), rep, gate)
    work()
    assert mails(gate, rep, "task") == []
    work(timezone.now() + timedelta(hours=3))
    work(timezone.now() + timedelta(hours=4))
    assert mails(gate, rep, "task") == [rep.email]


def test_a_step_that_is_done_or_wants_no_mail_is_not_reminded(rep, taken, browse, gate, work):
    lead = taken(rep)
    done = plan(lead, rep, gate)
    plan(lead, rep, gate, remind=False)
    browse(rep).post(f"/sales/steps/{done.pk}/done/")
    work(timezone.now() + timedelta(hours=3))
    assert mails(gate, rep, "task") == []


def test_a_step_is_planned_and_ticked_off_once_at_the_desk(rep, taken, browse, gate):
    lead = taken(rep)
    client = browse(rep)
    day = timezone.localdate() + timedelta(days=1)
    page = client.post(f"/sales/leads/{lead.pk}/next-step/", {"what": "Visit", "on": day, "remind": ""}, follow=True)
    assert "The next step is set." in page.content.decode()
    assert ">Tomorrow <" in page.content.decode()
    with gate(rep):
        task = Task.objects.get()
        assert task.all_day
    for _ in range(2):
        assert client.post(f"/sales/steps/{task.pk}/done/").status_code == 302
    with gate(rep):
        assert Event.objects.filter(kind="next_step_done").count() == 1


@pytest.mark.parametrize("sent", [{}, {"what": "Visit"}, {"on": "2031-01-01"}, {"what": "Visit", "on": "2001-01-01"}])
def test_a_step_without_words_or_a_day_to_come_is_asked_for_again(rep, taken, browse, gate, sent):
    lead = taken(rep)
    assert browse(rep).post(f"/sales/leads/{lead.pk}/next-step/", sent).status_code == 422
    with gate(rep):
        assert not Task.objects.exists()


def test_nobody_ticks_off_somebody_else_s_step(rep, other_rep, asks, browse, gate):
    lead = asks(rep)
    with gate(rep) as at:
        holder = Handoff.objects.get().offered_to
        handoff.accept(Lead.objects.get(pk=lead.pk), by=holder, at=at)
    with gate(rep):
        lead = Lead.objects.select_related("holder__user").get()
    task = plan(lead, holder, gate)
    stranger = other_rep if holder == rep else rep
    assert browse(stranger).post(f"/sales/steps/{task.pk}/done/").status_code == 403
    with gate(rep):
        assert Task.objects.get().done_at is None


def test_who_asks_again_while_held_becomes_a_step_that_is_due_now_and_a_mail(rep, taken, gate, work, browse):
    taken(rep)
    for _ in range(2):
        with gate(rep) as at:
            touch(Lead.objects.get(), "contact_request", at=at)
        work()
    with gate(rep):
        assert list(Task.objects.values_list("what", "holder")) == [(AGAIN, rep.pk)]
        assert not Handoff.objects.open().exists()
    assert mails(gate, rep, "asked-again") == [rep.email] * 2
    assert AGAIN in browse(rep).get("/sales/").content.decode()


def test_who_asks_again_while_held_by_somebody_who_left_reaches_whoever_passes_them_on(
    rep, other_rep, manager, taken, gate, work, browse
):
    taken(rep)
    with gate(rep) as at:
        Member.objects.filter(pk=rep.pk).update(active=False)
        touch(Lead.objects.get(), "contact_request", at=at)
    work()
    assert mails(gate, rep, "asked-again") == [manager.email]
    with gate(manager):
        letter = Message.objects.get(kind="asked-again")
        assert "They are with Rita Rep, who doesn’t work here any more." in text_of(letter, manager.workspace)
        held = [Lead.objects.get().pk]
    sent = {"held": held, "to": other_rep.pk, "reason": "Rita left", "at": "held"}
    assert browse(manager).post("/handoffs/pass/", sent).status_code == 302
    work()
    assert AGAIN in browse(other_rep).get("/sales/").content.decode()


@pytest.mark.parametrize(("kind", "steps"), [("form", [CAME]), ("email_reply", [CAME]), ("page_view", [])])
def test_a_customer_who_comes_again_reaches_who_looks_after_them(rep, taken, gate, work, browse, kind, steps):
    lead = taken(rep)
    with gate(rep) as at:
        close.win(deals.open_deal(lead, by=rep, at=at), by=rep, at=at, amount=5_00)
    for _ in range(2):
        with gate(rep) as at:
            touch(Lead.objects.get(), kind, at=at)
        work()
    with gate(rep):
        assert list(Task.objects.values_list("what", flat=True)) == steps
        assert not Handoff.objects.open().exists()
    assert (CAME in browse(rep).get("/sales/").content.decode()) is bool(steps)
    # What the rep wrote down themselves is no news to them.
    with gate(rep) as at:
        Task.objects.all().delete()
        touch(Lead.objects.get(), "call", by=rep, at=at)
    work()
    with gate(rep):
        assert not Task.objects.exists()


def test_who_asks_again_just_as_the_lead_is_given_back_is_handed_over_after_all(rep, taken, gate, work):
    taken(rep)
    with gate(rep) as at:
        event = Event.objects.create(
            workspace=rep.workspace, lead=Lead.objects.get(), kind="asked_again", occurred_at=at, recorded_at=at
        )
        Effect.objects.create(workspace=rep.workspace, event=event, handler="ask", lane="live", due_at=at)
        handoff.give_back(Lead.objects.get(), reason=GiveBackReason.objects.get(key="no-answer"), by=rep, at=at)
    work()
    with gate(rep):
        assert Handoff.objects.open().count() == 1
        assert not Task.objects.open().exists()


def test_steps_end_when_a_lead_is_given_back(rep, taken, gate, work):
    plan(taken(rep), rep, gate)
    with gate(rep) as at:
        handoff.give_back(Lead.objects.get(), reason=GiveBackReason.objects.get(key="no-answer"), by=rep, at=at)
    work()
    with gate(rep):
        assert not Task.objects.open().exists()


def test_a_step_that_ends_with_its_lead_is_told_on_the_timeline(rep, taken, gate, work, browse):
    lead = taken(rep)
    plan(lead, rep, gate)
    with gate(rep) as at:
        handoff.give_back(Lead.objects.get(), reason=GiveBackReason.objects.get(key="no-answer"), by=rep, at=at)
    work()
    work()
    assert browse(rep).get(f"/leads/{lead.pk}/").content.decode().count("A next step ended with that") == 1
    with gate(rep):
        assert Event.objects.get(kind="next_step_dropped").data["what"] == "Send the offer"


def test_a_step_is_moved_to_another_day_and_its_reminder_with_it(rep, taken, browse, gate, work):
    lead = taken(rep)
    task = plan(lead, rep, gate)
    client, day = browse(rep), timezone.localdate() + timedelta(days=3)
    assert f"/sales/steps/{task.pk}/move/" in client.get(f"/leads/{lead.pk}/").content.decode()
    sent = {"on": day, "hour": "14:30", "remind": "due"}
    page = client.post(f"/sales/steps/{task.pk}/move/", sent, follow=True).content.decode()
    assert "Moved to" in page
    assert "14:30" in page
    work(timezone.now() + timedelta(hours=3))
    assert mails(gate, rep, "task") == [], "the old moment reminds no more"
    work(timezone.now() + timedelta(days=5))
    assert mails(gate, rep, "task") == [rep.email]
    told = client.get(f"/leads/{lead.pk}/").content.decode()
    assert "<bdi>Rita</bdi> moved a next step: <bdi>Send the offer</bdi>" in told


def test_a_day_on_which_nobody_works_is_kept_and_said_wherever_one_is_promised(rep, taken, browse, gate, deal_with):
    sunday = timezone.localdate() + timedelta(days=13 - timezone.localdate().weekday())
    monday, tuesday = (sunday + timedelta(days=ahead) for ahead in (1, 2))
    Workspace.objects.filter(pk=rep.workspace_id).update(closed={monday.isoformat(): "A fair"})
    lead, deal, client = taken(rep), deal_with(rep), browse(rep)
    step = plan(lead, rep, gate)
    says = f" Nobody works on {day(sunday)}; the next working day is {day(tuesday)}."
    for path, body in (
        (f"leads/{lead.pk}/next-step/", {"what": "Visit", "on": sunday}),
        (f"steps/{step.pk}/move/", {"on": sunday}),
        (f"leads/{lead.pk}/call/", {"outcome": "call_back", "on": sunday}),
        (f"deals/{deal.pk}/lost/", {"reason": "competitor", "until": sunday}),
        (f"leads/{lead.pk}/give-back/", {"reason": "no-answer", "until": sunday}),
    ):
        page = client.post(f"/sales/{path}", body, follow=True).content.decode()
        assert says in page, path
    again = taken(rep, "Bob Bell")
    at_page = f"/leads/{again.pk}/give-back/"
    assert says in client.post(at_page, {"reason": "no-answer", "until": sunday}, follow=True).content.decode()
    third = taken(rep, "Cat Bell")
    sent = {"what": "Visit", "on": tuesday}
    page = client.post(f"/sales/leads/{third.pk}/next-step/", sent, follow=True).content.decode()
    assert "The next step is set." in page
    assert "Nobody works on" not in page


def test_a_step_is_not_moved_into_the_past_by_a_stranger_or_once_it_is_done(rep, other_rep, taken, browse, gate):
    task = plan(taken(rep), rep, gate)
    address, day = f"/sales/steps/{task.pk}/move/", timezone.localdate() + timedelta(days=3)
    answer = browse(rep).post(address, {"on": "2001-01-01"})
    assert answer.status_code == 422
    assert "This has passed; choose a later one." in answer.content.decode()
    assert browse(other_rep).post(address, {"on": day}).status_code == 403
    browse(rep).post(f"/sales/steps/{task.pk}/done/")
    answer = browse(rep).post(address, {"on": day})
    assert answer.status_code == 409
    assert "This step is done already" in answer.content.decode()
    with gate(rep):
        assert Task.objects.get().due_at == task.due_at
        assert not Event.objects.filter(kind="next_step_moved").exists()


def test_steps_go_with_a_lead_to_a_colleague(rep, taken, owner, gate, work, browse):
    plan(taken(rep), rep, gate)
    with gate(rep) as at:
        passing.pass_lead(Lead.objects.get(), to=owner, by=rep, at=at, reason="Away")
    assert "Send the offer" not in browse(rep).get("/sales/").content.decode()
    work()
    assert "Send the offer" in browse(owner).get("/sales/").content.decode()


@pytest.mark.parametrize("named", [True, False])
def test_steps_of_somebody_who_leaves_go_to_the_successor_or_with_the_lead(rep, taken, manager, owner, gate, named):
    plan(taken(rep), rep, gate)
    with gate(rep) as at:
        if not named:
            Lead.objects.update(holder=manager)
        queue.hand_tasks(rep, owner if named else None, at=at)
        assert Task.objects.get().holder == (owner if named else manager)


@pytest.fixture
def mine(rep, taken, gate):
    """Seven leads of the rep, each with something else to come, or with nothing."""
    leads = {name: taken(rep, f"{name} Bell", phone="") for name in ("Ann", "Ben", "Cid", "Dot", "Eve", "Fay", "Gil")}
    plan(leads["Ann"], rep, gate, hours=7)
    plan(leads["Ann"], rep, gate, hours=12)
    plan(leads["Gil"], rep, gate, hours=9)
    with gate(rep) as at:
        hour = timedelta(hours=1)
        Handoff.objects.update(contact_due_at=None)
        for name, due_at in (("Ben", at + 2 * hour), ("Cid", at - hour), ("Dot", at + 8 * hour)):
            Handoff.objects.filter(lead=leads[name]).update(contact_due_at=due_at)
        book = {"holder": rep, "by": rep, "at": at}
        demos.book(leads["Dot"], starts_at=at + 5 * hour, ends_at=at + 6 * hour, title="Site visit", **book)
        for name in ("Fay", "Gil"):
            Lead.objects.filter(pk=leads[name].pk).update(stage="customer", customer_since=at)
    return leads


def walked(client):
    """Every row of My leads, page by page."""
    address, seen = "/sales/mine/", []
    while address:
        page = client.get(address)
        assert page.status_code == 200
        seen += page.context["rows"]
        address = page.context["next_url"] and f"/sales/mine/{page.context['next_url']}"
    return seen


@pytest.mark.parametrize("size", [1, 2, 50])
def test_my_leads_stand_by_whatever_comes_first_and_are_paged_by_key(rep, mine, browse, monkeypatch, size):
    monkeypatch.setattr("sales.queue.mine.PAGE", size)
    seen = walked(browse(rep))
    assert [row["lead"].name.split()[0] for row in seen] == ["Cid", "Ben", "Dot", "Ann", "Gil", "Eve", "Fay"]
    steps = [row["step"] for row in seen]
    assert [step.what.split(":")[0] for step in steps[:5]] == [
        "Call first", "Call first", "Site visit", "Send the offer", "Send the offer",
    ]  # fmt: skip
    assert [step.late for step in steps[:5]] == [True, False, False, False, False]
    assert steps[5:] == [None, None]


def test_my_leads_say_when_and_who_was_spoken_to_is_due_no_more(rep, mine, browse, gate):
    page = browse(rep).get("/sales/mine/").content.decode()
    with gate(rep) as at:
        due_at = Handoff.objects.get(lead=mine["Ben"]).contact_due_at
        assert f"by {when(due_at)}" in page
        touch(mine["Ben"], "call_made", by=rep, at=at)
    seen = walked(browse(rep))
    assert next(row["step"] for row in seen if row["lead"].name == "Ben Bell") is None


def test_my_leads_take_no_more_statements_for_more_leads(rep, mine, browse, monkeypatch):
    def statements():
        with CaptureQueriesContext(connection) as asked:
            client.get("/sales/mine/")
        return len(asked)

    client = browse(rep)
    statements()
    many = statements()
    monkeypatch.setattr("sales.queue.mine.PAGE", 1)
    assert statements() == many


def test_a_reminder_is_in_the_morning_of_a_day_and_before_a_time(rep, gate):
    zone = rep.workspace.zone
    at = datetime(2026, 11, 17, 10, 0, tzinfo=zone)

    def reminded(**given):
        with timezone.override(zone):
            form = NextStepForm({"what": "Call", "remind": "due"} | given, workspace=rep.workspace, at=at)
            form.is_valid()
        return form.step and form.step.remind_at and f"{form.step.remind_at.astimezone(UTC).astimezone(zone):%d %H:%M}"

    with everywhere():
        assert reminded(on="2026-11-19") == "19 09:00"
        assert reminded(on="2026-11-19", remind="day") == "18 09:00"
        assert reminded(on="2026-11-19", hour="14:30", remind="hour") == "19 13:30"
        assert reminded(on="2026-11-19", hour="14:30", remind="day") == "18 14:30"
        assert reminded(on="2026-11-17", hour="10:30", remind="hour") == "17 10:30"
        assert reminded(on="2026-11-17") is None
        assert reminded(on="2026-11-19", remind="") is None
        # In London it is 02:00 right after 00:59 on that day.
        assert reminded(on="2027-03-28", hour="01:30") == "28 02:30"


def test_nobody_is_reminded_of_a_lead_that_was_set_aside(rep, taken, browse, gate, work):
    lead = taken(rep)
    plan(lead, rep, gate)
    with gate(rep) as at:
        handoff.disqualify(lead, by=rep, at=at)
    work(timezone.now() + timedelta(hours=3))
    assert mails(gate, rep, "task") == []
    with gate(rep):
        assert not Task.objects.open().exists()
    assert "A next step ended with that" in browse(rep).get(f"/leads/{lead.pk}/").content.decode()
