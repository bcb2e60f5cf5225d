"""Fault 16, from where a person stands: what PostgreSQL ended for another's sake is done again, whole and once."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.leads import receiving
from funnel.leads.models import Lead
from funnel.outbox.models import Event
from funnel.people import actions as people
from funnel.people.adapter import AccountAdapter
from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import AuditEntry, User, Workspace
from marketing.capture import actions as capture
from marketing.capture.models import Form, Submission
from tests.funnel.people.test_door import NEW
from tests.funnel.people.test_keys_and_business import values

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]
DEADLOCK, OVERTAKEN, LOCKED = "40P01", "40001", "55P03"


@pytest.fixture
def ended(monkeypatch):
    """Have PostgreSQL end whoever comes to the end of a verb, so many times; give the list of all who began it."""

    def set_up(module, name, times, code=DEADLOCK):
        real, begun = getattr(module, name), []

        def verb(*args, **words):
            begun.append(words)
            done = real(*args, **words)
            if len(begun) <= times:
                with connection.cursor() as cursor:
                    cursor.execute(f"DO $$BEGIN RAISE EXCEPTION 'ended' USING ERRCODE = '{code}'; END$$")
            return done

        monkeypatch.setattr(module, name, verb)
        return begun

    return set_up


def send(client, path, fields=()):
    """POST as a browser's plain form does."""
    return client.post(path, urlencode(fields, doseq=True), "application/x-www-form-urlencoded")


@pytest.mark.parametrize("code", [DEADLOCK, OVERTAKEN])
def test_what_was_ended_twice_is_done_the_third_time_and_once(owner, api, gate, ended, code):
    begun = ended(receiving, "receive", 2, code)
    key = {"HTTP_IDEMPOTENCY_KEY": "one"}
    answer = api(owner).post("leads/", {"email": "a@b.example"}, **key)
    assert (answer.status_code, len(begun)) == (201, 3)
    assert len({words["at"] for words in begun}) == 3, "each time the clock is read anew"
    with gate(owner):
        assert Lead.objects.count() == Event.objects.filter(kind="received").count() == 1


@pytest.mark.parametrize(("code", "tries"), [(DEADLOCK, 3), (OVERTAKEN, 3), (LOCKED, 1)])
def test_after_three_times_or_for_another_reason_it_is_said(owner, api, gate, ended, code, tries):
    begun = ended(receiving, "receive", 9, code)
    answer = api(owner).post("leads/", {"email": "a@b.example"})
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
    assert int(answer["Retry-After"]) > 0
    assert len(begun) == tries
    with gate(owner):
        assert not Lead.objects.exists()


def test_a_page_done_again_knows_nothing_of_the_first_time(owner, browse, gate, ended):
    """What is saved differs from what was in memory, which the first time had changed."""
    begun = ended(people, "change_business", 1)
    client = browse(owner)
    answer = send(client, reverse("business"), values(name="Second try"))
    assert (answer.status_code, len(begun)) == (302, 2)
    assert Workspace.objects.get(pk=owner.workspace_id).name == "Second try"
    with gate(owner):
        (entry,) = AuditEntry.objects.filter(action="business changed")
    assert (entry.data["was"]["name"], entry.data["now"]["name"]) == ("First", "Second try")
    assert (
        client.get(reverse("business")).content.decode().count("Clocks that run keep the working time they have left.")
        == 1
    )


def test_a_lead_that_two_ask_for_is_given_once_however_often_it_is_tried(owner, rep, api, gate, work, ended):
    with gate(owner) as at:
        receiving.receive(owner.workspace, [receiving.Capture(email="a@b.example", asks=True)], at=at)
    work()
    with gate(owner):
        lead = Lead.objects.get()
    ended(handoff, "accept", 1)
    assert api(rep).post(f"leads/{lead.pk}/accept/").status_code == 200
    with gate(owner):
        assert Event.objects.filter(kind="handoff_accepted").count() == 1


def test_a_visitor_s_form_is_taken_the_second_time(owner, gate, ended):
    begun = ended(capture, "send_in", 1)
    with gate(owner):
        form = Form.objects.get()
    assert send(Client(), form.path, {"name": "Ann", "email": "ann@else.example"}).status_code == 303
    assert len(begun) == 2
    with gate(owner):
        assert Submission.objects.count() == 1


def test_who_logs_out_the_second_time_is_out_for_good(owner, browse, ended):
    client, before = browse(owner), Client()
    before.cookies = client.cookies.copy()
    begun = ended(AccountAdapter, "logout", 1)
    assert send(client, reverse("account_logout")).status_code == 302
    assert len(begun) == 2
    assert before.get("/")["Location"].startswith(reverse("account_login")), "nor does a copy of the cookie let in"


def test_a_file_that_came_along_is_not_taken_twice(owner, browse, ended):
    begun = ended(people, "change_business", 1)
    answer = browse(owner).post(reverse("letterhead"), {"address": "4 Brook Yard"})
    assert (answer.status_code, len(begun)) == (503, 1)
    assert Workspace.objects.get(pk=owner.workspace_id).address == ""


def test_a_sign_up_that_writes_in_several_steps_is_not_done_again(db, ended):
    begun = ended(people, "start_business", 1)
    client = Client(raise_request_exception=False)
    assert send(client, reverse("account_signup"), NEW).status_code == 503
    assert len(begun) == 1
    with everywhere():
        assert not Workspace.objects.exists()
    assert User.objects.count() <= 1
