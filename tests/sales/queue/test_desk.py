"""The rep's desk through the door."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from funnel.handoff import actions as handoff
from funnel.handoff.models import Handoff, Outcome
from funnel.leads.models import Lead
from funnel.outbox.models import Event
from sales.queue import actions as queue
from sales.queue.actions import NextStep
from sales.queue.desk import with_nothing_planned
from sales.queue.models import CallOutcome, Task

DESK = "/sales/"


def at_desk(lead):
    return f"{DESK}leads/{lead.pk}/"


def test_an_empty_desk_says_what_is_next(rep, browse):
    page = browse(rep).get(DESK).content.decode()
    assert "Your desk is clear" in page
    assert "A new lead appears here by itself" in page
    assert page.count("Your desk is clear") == 1


def test_a_clear_desk_leads_to_the_leads_where_there_are_any(rep, other_rep, asks, gate, browse):
    assert "Look through all leads" not in browse(rep).get(DESK).content.decode()
    asks(rep)
    with gate(rep):
        Handoff.objects.update(offered_to=other_rep)
    assert "Look through all leads" in browse(rep).get(DESK).content.decode()


def test_a_new_handoff_stands_first_with_why_clock_and_take_it(rep, asks, browse):
    asks(rep)
    page = browse(rep).get(DESK).content.decode()
    assert 'data-title-count="1"' in page
    assert "Asked for contact with “Contact us”" in page
    assert "01632 960142" in page
    assert 'href="tel:+441632960142"' in page
    assert 'data-key="t"' in page
    assert "Log the call" not in page  # before it is taken there is one decision


def test_take_it_puts_the_lead_with_the_rep_and_offers_the_call(rep, asks, browse, gate):
    lead = asks(rep)
    answer = browse(rep).post(at_desk(lead) + "take/", follow=True)
    page = answer.content.decode()
    assert answer.redirect_chain == [(f"{DESK}?lead={lead.pk}#lead", 302)]
    assert "Taken. Ann Bell is with you." in page
    assert "With you" in page
    assert "Log the call" in page
    assert "Call first" in page
    with gate(rep):
        assert Lead.objects.get().holder == rep


def test_who_comes_second_sees_who_has_it_and_what_is_next(rep, other_rep, asks, browse, gate):
    lead = asks(rep)
    with gate(rep):
        Handoff.objects.update(offered_to=None)
    assert browse(rep).post(at_desk(lead) + "take/").status_code == 302
    answer = browse(other_rep).post(at_desk(lead) + "take/")
    assert answer.status_code == 409
    page = answer.content.decode()
    assert "Rita Rep has already taken this lead." in page
    assert "is-warn" in page
    with gate(rep):
        assert Lead.objects.get().holder == rep


def test_a_lead_that_waits_for_somebody_else_cannot_be_taken(rep, other_rep, asks, browse, gate):
    lead = asks(rep)
    with gate(rep):
        one = Handoff.objects.get()
    thief = other_rep if one.offered_to == rep else rep
    answer = browse(thief).post(at_desk(lead) + "take/")
    assert answer.status_code == 403
    assert "This lead waits for" in answer.content.decode()
    with gate(rep):
        assert Lead.objects.get().holder is None


@pytest.mark.parametrize("before", [True, False])
def test_a_rep_gives_back_before_and_after_taking(rep, asks, taken, browse, gate, before):
    lead = (asks if before else taken)(rep)
    answer = browse(rep).post(
        at_desk(lead) + "give-back/", {"reason": "no-answer", "note": "Line is dead"}, follow=True
    )
    assert "Ann Bell is given back." in answer.content.decode()
    with gate(rep):
        one = Handoff.objects.get()
        assert (one.reason.key, one.note) == ("no-answer", "Line is dead")
        assert one.outcome == (Outcome.GIVEN_BACK if before else Outcome.ACCEPTED)
        assert Lead.objects.get().stage == "nurturing"


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "Choose a reason."),
        ({"reason": "not-now"}, "Say on which day to call again."),
        ({"reason": "not-now", "until": "2020-01-01"}, "Choose a day after today."),
        ({"reason": "not-now", "until": "9999-12-31"}, "Choose a day within the next five years."),
        ({"reason": "not-now", "until": "soon"}, "Write a date like 2026-11-17."),
        ({"reason": "no-budget", "until": "soon"}, "Write a date like 2026-11-17."),
        ({"reason": "not-a-fit", "until": "2028-01-03"}, "“Not a fit for us” ends it, so nobody calls again."),
        ({"reason": "because"}, "Select a valid choice"),
    ],
)
def test_a_give_back_that_lacks_something_changes_nothing(rep, taken, browse, gate, sent, sentence):
    lead = taken(rep)
    answer = browse(rep).post(at_desk(lead) + "give-back/", sent)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert '<dialog class="over" id="give-back" aria-labelledby="give-back-title" open>' in page
    if sent.get("reason") != "because":
        assert sentence in page
    with gate(rep):
        assert Lead.objects.get().stage == "working"


@pytest.mark.parametrize("reason", ["not-now", "no-budget", "not-ready"])
def test_a_promised_day_opens_at_the_beginning_of_its_work_whatever_the_reason(reason, rep, taken, browse, gate):
    lead = taken(rep)
    day = timezone.localdate() + timedelta(days=7)
    browse(rep).post(at_desk(lead) + "give-back/", {"reason": reason, "until": day.isoformat()})
    with gate(rep):
        cool = rep.workspace.local(Lead.objects.get().cool_until)
        assert (cool.date(), f"{cool:%H:%M}") == (day, "09:00")


def test_a_call_is_logged_with_note_and_next_step(rep, taken, browse, gate):
    lead = taken(rep)
    day = timezone.localdate() + timedelta(days=2)
    sent = {
        "outcome": "spoke",
        "note": "Wants a roof",
        "what": "Send the offer",
        "on": day,
        "hour": "14:30",
        "remind": "hour",
    }
    answer = browse(rep).post(at_desk(lead) + "call/", sent, follow=True)
    assert "The call is saved. Next: Send the offer." in answer.content.decode()
    with gate(rep):
        call = Event.objects.get(kind="call_made")
        assert (call.actor, call.data["outcome"], call.data["note"]) == (rep, "spoke", "Wants a roof")
        task = Task.objects.get()
        assert (task.what, task.holder, task.all_day) == ("Send the offer", rep, False)
        effect = Event.objects.get(kind="next_step").effects.get()
        assert task.due_at - effect.due_at == timedelta(hours=1)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "Choose how the call went."),
        ({"outcome": "7"}, "How did it go? Choose how the call went."),
        ({"outcome": "call_back"}, "Choose the day on which to call back."),
        ({"outcome": "spoke", "what": "Write"}, "Choose the day."),
        ({"outcome": "spoke", "on": "2020-02-02"}, "This has passed; choose a later one."),
        ({"outcome": "spoke", "on": "9999-12-31"}, "Choose a day within the next five years."),
        ({"outcome": "spoke", "on": "2030-02-31"}, "Write a date like 2026-11-17."),
        ({"outcome": "spoke", "note": "a\x00b"}, "Null characters are not allowed"),
    ],
)
def test_a_call_that_lacks_something_keeps_what_was_typed(rep, taken, browse, gate, sent, sentence):
    lead = taken(rep)
    answer = browse(rep).post(at_desk(lead) + "call/", sent | {"remind": "due"})
    assert answer.status_code == 422
    assert sentence in answer.content.decode() or "\x00" in sent.get("note", "")
    with gate(rep):
        assert not Event.objects.filter(kind="call_made").exists()
        assert not Task.objects.exists()


def test_nobody_logs_a_call_for_a_lead_of_somebody_else_or_of_nobody(rep, other_rep, asks, browse, gate):
    lead = asks(rep)
    answer = browse(rep).post(at_desk(lead) + "call/", {"outcome": "spoke", "note": "Wants a price for <two> roofs"})
    assert (answer.status_code, all(one in answer.content.decode() for one in ("Take it", "&lt;two"))) == (409, True)
    with gate(rep) as at:
        one = Handoff.objects.get()
        handoff.accept(Lead.objects.get(), by=one.offered_to, at=at)
    stranger = other_rep if one.offered_to == rep else rep
    assert browse(stranger).post(at_desk(lead) + "call/", {"outcome": "spoke"}).status_code == 403
    with gate(rep):
        assert not Event.objects.filter(kind="call_made").exists()


def test_a_call_settles_the_steps_that_are_ticked(rep, taken, browse, gate):
    lead = taken(rep)
    with gate(rep) as at:
        task = queue.plan(Lead.objects.get(), NextStep("Call back", at + timedelta(minutes=1)), by=rep, at=at)
    browse(rep).post(at_desk(lead) + "call/", {"outcome": "spoke", "done": [task.pk]})
    with gate(rep):
        assert Task.objects.get().done_at is not None
        assert Event.objects.filter(kind="next_step_done").count() == 1


def test_the_order_is_handoffs_then_steps_by_date_then_by_engagement(rep, taken, asks, browse, gate):
    names = ["Cold Case", "Warm Wish", "Late Lane", "Tom Morrow"]
    leads = {name: taken(rep, name, phone="") for name in names}
    asks(rep, "New One", phone="")
    with gate(rep) as at:
        for name in names[:2]:
            queue.log_call(Lead.objects.get(pk=leads[name].pk), CallOutcome.SPOKE, by=rep, at=at)
        queue.plan(leads["Tom Morrow"], NextStep("Visit", at + timedelta(days=1), all_day=True), by=rep, at=at)
        late = queue.plan(leads["Late Lane"], NextStep("Call", at + timedelta(hours=1)), by=rep, at=at)
        Task.objects.filter(pk=late.pk).update(due_at=at - timedelta(days=2))
    asks(rep, "Warm Wish", phone="")
    with gate(rep):
        Task.objects.filter(lead=leads["Warm Wish"]).delete()
    page = browse(rep).get(DESK).content.decode()
    order = [
        "New handoffs",
        "New One",
        ">Late <",
        "Late Lane",
        ">Tomorrow <",
        "Tom Morrow",
        "Without a next step",
        "Warm Wish",
        "Cold Case",
    ]
    places = [page.index(f"{word}</bdi>" if " " in word and word in [*names, "New One"] else word) for word in order]
    assert places == sorted(places)


def test_the_list_is_sent_again_only_when_it_has_changed(rep, asks, browse):
    client = browse(rep)
    lead = asks(rep)
    have = client.get(DESK).context["stamp"]
    news = f"{DESK}news/?have={have}&lead={lead.pk}"
    same = client.get(news, headers={"HX-Request": "true"})
    if same.status_code == 200:  # the minute has just turned
        same = client.get(f"{DESK}news/?have={same.context['stamp']}&lead={lead.pk}", headers={"HX-Request": "true"})
    assert same.status_code == 204
    asks(rep, "Ben Cole")
    fresh = client.get(news, headers={"HX-Request": "true"})
    page = fresh.content.decode()
    assert fresh.status_code == 200
    assert "Ben Cole" in page
    assert 'data-title-count="2"' in page
    assert "<html" not in page
    assert page.count('aria-current="true"') == 1
    assert "<html" in client.get(news).content.decode()


def test_on_a_clear_desk_the_first_lead_comes_with_the_news(rep, asks, browse):
    client = browse(rep)
    clear = client.get(DESK)
    assert 'id="desk-current" value=""' in clear.content.decode()
    news = f"{DESK}news/?have={clear.context['stamp']}&lead="
    lead = asks(rep)
    page = client.get(news, headers={"HX-Request": "true"}).content.decode()
    assert page.count('<section class="desk-lead" id="lead" hx-swap-oob="true"') == 1
    assert f'id="desk-current" value="{lead.pk}"' in page
    assert "Take it" in page
    assert "desk is clear" not in page
    assert page.count('aria-current="true"') == 1
    # Beside a lead that is being worked with the list comes alone, and a page's own pane takes no place of another.
    assert 'id="lead"' not in client.get(f"{news}{lead.pk}", headers={"HX-Request": "true"}).content.decode()
    assert "hx-swap-oob" not in client.get(DESK).content.decode()


def test_a_desk_that_stays_clear_keeps_saying_so(rep, asks, browse):
    page = browse(rep).get(f"{DESK}news/?have=before&lead=", headers={"HX-Request": "true"}).content.decode()
    assert "Your desk is clear" in page
    assert 'id="lead"' not in page


def test_a_row_that_is_chosen_brings_the_lead_without_the_list(rep, asks, browse):
    first, other = asks(rep), asks(rep, "Ben Cole", phone="")
    client = browse(rep)
    answer = client.get(f"{DESK}?lead={other.pk}", headers={"HX-Request": "true", "HX-Target": "lead"})
    page = answer.content.decode()
    assert page.lstrip().startswith('<section class="desk-lead" id="lead"')
    assert "Ben Cole" in page
    assert f'id="desk-current" value="{other.pk}"' in page
    assert "desk-rows" not in page
    assert str(first.pk) not in page
    assert "HX-Target" in answer["Vary"]  # a browser that goes back may not take the part for the page
    assert "desk-rows" in client.get(f"{DESK}?lead={other.pk}").content.decode()


def test_whoever_was_not_called_yet_stands_under_today_and_only_there(rep, taken, browse, gate):
    silent, called = taken(rep, "Sue Lent", phone=""), taken(rep, "Cal Led", phone="")
    with gate(rep) as at:
        queue.log_call(Lead.objects.get(pk=called.pk), CallOutcome.SPOKE, by=rep, at=at)
    groups = {group.title: [row.lead.pk for row in group.rows] for group in browse(rep).get(DESK).context["groups"]}
    assert groups == {"Today": [silent.pk], "Without a next step": [called.pk]}


@pytest.mark.once
def test_sqlite_finds_who_was_not_called_among_what_people_did(rep, taken, gate):
    # PostgreSQL reads a table this small as a whole.
    taken(rep)
    with gate(rep):
        assert "event_by_people" in with_nothing_planned(rep).explain()


def test_the_desk_asks_the_same_number_of_questions_for_one_and_for_ten(
    rep, taken, asks, browse, gate, django_assert_max_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def scene(names):
        for name in names:
            asks(rep, f"New {name}", phone="")
            taken(rep, f"Held {name}", phone="")
            lead = taken(rep, f"Step {name}", phone="")
            with gate(rep) as at:
                queue.plan(lead, NextStep("Call", at + timedelta(hours=3)), by=rep, at=at)

    def questions(path):
        client, counts = browse(rep), []
        client.get(path)
        # The quiet line about the worker is asked for anew every five seconds, which may fall into one of these.
        for _ in range(2):
            with CaptureQueriesContext(connection) as seen:
                assert client.get(path).status_code == 200
            counts.append(len(seen))
        return min(counts)

    scene(["A"])
    one = {path: questions(path) for path in (DESK, f"{DESK}mine/")}
    scene("BCDEFGHIJ")
    assert {path: questions(path) for path in one} == one
    assert one[DESK] <= 15


@pytest.mark.parametrize("who", ["marketer", "viewer"])
def test_who_does_not_sell_has_no_desk(who, request, browse):
    member = request.getfixturevalue(who)
    assert browse(member).get(DESK).status_code == 403
    assert browse(member).get(f"{DESK}mine/").status_code == 403


def test_another_business_s_lead_is_not_there(rep, outsider, asks, browse):
    lead = asks(rep)
    client = browse(outsider)
    assert client.get(f"{DESK}?lead={lead.pk}").status_code == 404
    for verb in ("take", "give-back", "call", "next-step"):
        assert client.post(f"{at_desk(lead)}{verb}/").status_code == 404


def test_an_address_that_was_changed_is_refused(rep, browse):
    client = browse(rep)
    assert client.get(f"{DESK}?lead=nobody").status_code == 400
    assert client.get(f"{DESK}mine/?after=nowhere").status_code == 400


def test_after_a_verb_nobody_is_led_to_another_site(rep, taken, browse):
    lead = taken(rep)
    for elsewhere in ("https://evil.example/", "//evil.example/", "/\\evil.example/"):
        answer = browse(rep).post(at_desk(lead) + "call/", {"outcome": "spoke", "next": elsewhere})
        assert answer["Location"].startswith("/sales/")


def test_a_desk_that_is_full_counts_and_announces_what_it_doesn_t_show(rep, asks, browse, monkeypatch):
    monkeypatch.setattr("sales.queue.desk.MOST", 2)
    for name in ("Ann Bell", "Ben Cole", "Cat Dunn"):
        asks(rep, name)
    client = browse(rep)
    page = client.get(DESK)
    told = page.content.decode()
    assert 'data-title-count="3"' in told
    assert "1 more follows when these are decided" in told
    assert "Cat Dunn" not in told
    asks(rep, "Dan Eden")
    beside = f"{DESK}news/?have={page.context['stamp']}&lead={page.context['current']}"
    assert 'data-title-count="4"' in client.get(beside, headers={"HX-Request": "true"}).content.decode()


def test_whoever_has_a_step_that_a_full_desk_doesn_t_show_is_not_without_one(rep, taken, browse, gate, monkeypatch):
    monkeypatch.setattr("sales.queue.desk.MOST", 1)
    for days, name in enumerate(("Ann Bell", "Ben Cole"), 1):
        lead = taken(rep, name)
        with gate(rep) as at:
            step = NextStep("Call again", at + timedelta(days=days), remind_at=None)
            queue.log_call(Lead.objects.get(pk=lead.pk), CallOutcome.SPOKE, by=rep, at=at, then=step)
    page = browse(rep).get(DESK)
    assert [[row.what for row in group.rows] for group in page.context["groups"]] == [["Call again"]]
    assert "Nothing is planned" not in page.content.decode()


def test_after_a_refused_call_the_answers_lead_back_to_the_desk(rep, taken, browse):
    lead = taken(rep)
    page = browse(rep).post(at_desk(lead) + "call/", {"outcome": "nobody at all"})
    assert page.status_code == 422
    back = re.findall(r'name="next" value="([^"]+)#qualification"', page.content.decode())
    assert back == [f"{DESK}?lead={lead.pk}"]
