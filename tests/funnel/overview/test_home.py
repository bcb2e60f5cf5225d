"""Home through the door: each role's page, and the owner's figures, which a recount by SQL equals."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.leads.actions import touch
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.workspaces.models import Member
from marketing.capture.models import Form, Submission
from tests.conftest import make_member
from tests.funnel.overview.people import came


@pytest.mark.parametrize(("role", "place"), [("rep", "/sales/"), ("marketer", "/marketing/"), ("viewer", "/leads/")])
def test_home_is_the_page_of_one_s_role(request, browse, role, place):
    answer = browse(request.getfixturevalue(role)).get("/")
    assert answer.status_code == 302
    assert answer["Location"] == place


def test_a_new_business_is_shown_what_to_do_first(owner, browse):
    page = browse(owner).get("/").content.decode()
    assert "First is open. Its first form is ready." in page
    assert "To begin with" in page
    assert "Try your form" in page
    assert "Money in British pounds, London time." in page


def test_with_people_the_checklist_gives_way(owner, gate, browse):
    with gate(owner) as at:
        came(owner, at, "Ann Bell")
    page = browse(owner).get("/").content.decode()
    assert "Who they are with now" in page
    assert "Needs you" in page
    assert "To begin with" in page
    assert "Nobody waits." in page


def test_the_owner_sees_who_is_late_what_waits_and_what_came_back(rep, owner, gate, browse):
    with gate(rep) as at:
        late, other, waits, back = came(rep, at, "Late Ann", "Other Bob", "Waits Cleo", "Back Dan")
        handoff.open_for(
            [late, other, back], why={one.pk: "." for one in (late, other, back)}, workspace=rep.workspace, at=at
        )
        Handoff.objects.filter(lead=late).update(due_at=at - timedelta(days=4))
        Lead.objects.filter(pk=waits.pk).update(waits_since=at)
        reason = GiveBackReason.objects.get(key="no-budget")
        handoff.give_back(back, reason=reason, by=rep, at=at, note="Next year perhaps")
    page = browse(owner).get("/").content.decode()
    assert "2 leads wait to be taken" in page
    assert "1 of them too long" in page
    assert "<bdi>Late Ann</bdi> waits for Rita" in page
    assert "too long" in page
    assert "1 lead is ready and waits for your go" in page
    assert "Rita gave 1 back: <bdi>Back Dan</bdi>" in page
    assert "Next year perhaps" in page
    assert "3 things" in page


def test_whoever_was_due_at_closing_time_is_late_before_work_begins_again(rep, owner, gate, browse):
    with gate(rep) as at:
        (late,) = came(rep, at, "Late Ann")
        handoff.open_for([late], why={late.pk: "."}, workspace=rep.workspace, at=at)
        Handoff.objects.update(due_at=at - timedelta(minutes=1))
        open_on = (at.weekday() + 3) % 7
        rep.workspace.hours = [[["09:00", "17:00"]] if day == open_on else [] for day in range(7)]
        rep.workspace.save(update_fields=["hours"])
    page = browse(owner).get("/").content.decode()
    assert "1 lead waits to be taken, <em>too long already</em>." in page
    assert "<bdi>Late Ann</bdi> waits for Rita, too long" in page
    assert "1 thing<" in page


def test_who_nobody_is_offered_and_what_is_held_back_need_the_owner(owner, gate, browse):
    with gate(owner) as at:
        leads = came(owner, at, "Ann Bell", "Bob Cole")
        handoff.open_for(leads, why=dict.fromkeys([one.pk for one in leads], "."), workspace=owner.workspace, at=at)
        form = Form.objects.get()
    Client().post(form.path, {"name": "Cy Dale", "email": "cy@dale.example", "website": "https://spam.example"})
    page = browse(owner).get("/").content.decode().replace("\xa0", " ")
    assert "Nobody takes new leads" in page
    assert "2 leads are in the pool, offered to nobody" in page
    assert "1 form entry is held back" in page
    assert f"/{form.pk}/" in page
    assert "3 things" in page
    with gate(owner) as at:
        Member.objects.filter(pk=owner.pk).update(takes_leads=True)
        for lead in leads:
            handoff.accept(lead, by=owner, at=at)
        Submission.objects.update(quarantined=False)
    assert "Nothing at the moment" in browse(owner).get("/").content.decode()


def test_an_owner_s_own_waiting_lead_needs_them(owner, gate, browse):
    with gate(owner) as at:
        Member.objects.filter(pk=owner.pk).update(takes_leads=True)
        late, own = came(owner, at, "Late Ann", "Own Bob")
        handoff.open_for([late, own], why=dict.fromkeys((late.pk, own.pk), "."), workspace=owner.workspace, at=at)
        Handoff.objects.update(offered_to=owner)
        Handoff.objects.filter(lead=late).update(due_at=at - timedelta(days=4))
    answer = browse(owner).get("/")
    page = answer.content.decode()
    assert "<bdi>Own Bob</bdi> waits for you" in page
    assert "<bdi>Late Ann</bdi> waits for you, " in page
    assert "2 things" in page


def test_the_way_s_counts_equal_a_recount(rep, owner, gate, browse):
    with gate(rep) as at:
        leads = came(rep, at, *[f"A{place} Bell" for place in range(9)], phone="")
        handoff.open_for(leads[:4], why={one.pk: "." for one in leads}, workspace=rep.workspace, at=at)
        for lead in leads[:2]:
            handoff.accept(lead, by=owner, to=rep, at=at)
        leads[0].move(Stage.CUSTOMER, at=at, by=rep, customer_since=at)
        handoff.disqualify(leads[8], by=owner, at=at)
    answer = browse(owner).get("/")
    shown = {stop["label"]: stop["count"] for leg in answer.context["legs"] for stop in leg["stops"]}
    with connection.cursor() as cursor:
        cursor.execute("SELECT stage, count(*) FROM funnel_lead GROUP BY stage")
        counted = dict(cursor.fetchall())
        cursor.execute("SELECT count(*) FROM funnel_handoff WHERE outcome = ''")
        (waiting,) = cursor.fetchone()
    assert shown == {
        "New": counted["new"], "With marketing": 0, "Ready for sales": counted["ready"],
        "In conversation": counted["working"], "Customer, this month": counted["customer"],
    }  # fmt: skip
    assert answer.context["numbers"]["waiting"] == waiting == 2
    assert answer.context["on_the_way"] == 4 + 2 + 1
    page = answer.content.decode()
    assert "Sales 1" in page
    assert "Rita 1" in page


def test_of_many_who_hold_leads_the_busiest_are_named(owner, workspace, gate, browse):
    reps = [make_member(workspace, "rep", f"R{place} Rep") for place in range(10)]
    with gate(owner) as at:
        leads = came(owner, at, *[f"A{place} Bell" for place in range(11)], phone="")
        for lead, rep in zip(leads, [*reps, reps[0]], strict=True):
            lead.move(Stage.WORKING, at=at, by=owner, holder=rep)
    sales = browse(owner).get("/").context["legs"][2]["note"].replace("\xa0", " ")
    assert sales.startswith("R0 2, R")
    assert sales.endswith(" 1, 2 others 2")


def test_the_month_of_the_business_decides_what_is_new(owner, gate, browse, work):
    with gate(owner) as at:
        came(owner, at, "Now Ann", occurred_at=at)
        came(owner, at, "Then Bob", occurred_at=at - timedelta(days=40))
    work()
    page = browse(owner).get("/").content.decode()
    assert "What the channels brought" in page
    radio = page[page.index('<th scope="row">Radio') :]
    assert '<td class="num">1</td>' in radio[: radio.index("</tr>")]


def test_an_outsider_s_home_holds_none_of_us(rep, outsider, gate, browse):
    with gate(rep) as at:
        (lead,) = came(rep, at, "Ann Bell")
        handoff.open_for([lead], why={lead.pk: "."}, workspace=rep.workspace, at=at)
    assert "Ann Bell" not in browse(outsider).get("/").content.decode()


def test_the_owner_sees_whom_nobody_spoke_to_in_time(rep, owner, gate, browse):
    with gate(rep) as at:
        late, spoken, soon = came(rep, at, "Late Ann", "Spoken Bob", "Soon Cleo")
        leads = [late, spoken, soon]
        handoff.open_for(leads, why={one.pk: "." for one in leads}, workspace=rep.workspace, at=at, to=rep)
        for lead in leads:
            handoff.accept(lead, by=rep, at=at)
        Handoff.objects.exclude(lead=soon).update(contact_due_at=at - timedelta(minutes=1))
        touch(spoken, "call_made", by=rep, at=at)
    page = browse(owner).get("/").content.decode()
    assert "1 lead was taken, and not spoken to in time" in page
    assert 'href="/handoffs/#silent"' in page
    listed = browse(owner).get("/handoffs/").content.decode()
    assert "Taken, and not spoken to in time" in listed
    assert "Late Ann" in listed
    assert "Spoken Bob" not in listed


def test_ten_waiting_cost_no_more_queries_than_one(rep, owner, gate, browse, work):
    def scene(number):
        with gate(rep) as at:
            leads = came(rep, at, *[f"A{number} Bell{place}" for place in range(number * 2)], phone="")
            handoff.open_for(leads, why={one.pk: "." for one in leads}, workspace=rep.workspace, at=at)
            for lead in leads[:number]:
                handoff.give_back(lead, reason=GiveBackReason.objects.get(key="no-answer"), by=rep, at=at)
        work()

    def measured():
        client = browse(owner)
        client.get("/")
        with CaptureQueriesContext(connection) as spent:
            assert client.get("/").status_code == 200
        return len([row for row in spent.captured_queries if "SELECT" in row["sql"]])

    scene(1)
    few = measured()
    assert few <= 14
    scene(10)
    assert measured() == few


def test_whose_only_lead_was_given_back_is_told_of_nobody_who_took_it(rep, owner, gate, browse):
    with gate(rep) as at:
        (lead,) = came(rep, at, "Ann Bell")
        handoff.open_for([lead], why={lead.pk: "."}, workspace=rep.workspace, at=at)
        handoff.give_back(lead, reason=GiveBackReason.objects.get(key="no-answer"), by=rep, at=at)
    page = browse(owner).get("/").content.decode()
    assert "Nobody waits." in page
    assert "has been taken" not in page
    assert "1 person is on their way." in page
