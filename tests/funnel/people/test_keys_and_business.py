"""Keys for other programs, and what is known about the business."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from funnel.people import actions as people
from funnel.workspaces.gate import everywhere
from funnel.workspaces.hours import after
from funnel.workspaces.models import SCOPES, ApiKey, AuditEntry, Workspace, promises
from marketing.capture.models import Form

pytestmark = pytest.mark.django_db
KEY = {"name": "Website", "scopes": ["leads"], "until": ""}
WEEK = {f"{edge}-{day}": time for day in range(5) for edge, time in (("opens", "09:00"), ("closes", "17:00"))}


def test_a_key_is_shown_once_and_works(owner, browse, gate):
    client = browse(owner)
    page = client.post(reverse("keys"), KEY | {"member": str(owner.pk)})
    secret = page.context["secret"]
    assert secret in page.content.decode()
    assert page["Cache-Control"].find("no-store") >= 0
    again = client.get(reverse("keys")).content.decode()
    assert secret not in again
    assert secret[:8] in again
    assert "never" in again
    with everywhere():
        key = ApiKey.objects.get()
    assert secret not in str(vars(key))
    answer = client.get("/api/v1/leads/", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    assert "never" not in client.get(reverse("keys")).content.decode()
    with gate(owner):
        assert AuditEntry.objects.filter(action="key made", target="Website").exists()


def test_a_revoked_or_ended_key_is_refused(owner, browse, api):
    key, client = api(owner), browse(owner)
    with everywhere():
        row = ApiKey.objects.get()
    assert client.post(reverse("key-revoke", args=[row.pk])).status_code == 302
    refused = key.get("leads/")
    assert (refused.status_code, "revoked" in refused.json()["detail"]) == (401, True)
    ended = api(owner)
    with everywhere():
        ApiKey.objects.filter(revoked_at=None).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert ended.get("leads/").status_code == 401


@pytest.mark.parametrize("hours", [-2, 24 * 40])
def test_a_key_ends_by_the_database_s_clock_whatever_the_web_part_s_says(owner, api, hours):
    ended, good = api(owner), api(owner)
    with everywhere():
        first, second = ApiKey.objects.order_by("created_at", "pk")
        ApiKey.objects.filter(pk=first.pk).update(expires_at=timezone.now() - timedelta(seconds=2))
        ApiKey.objects.filter(pk=second.pk).update(expires_at=timezone.now() + timedelta(hours=1))
    with time_machine.travel(timezone.now() + timedelta(hours=hours)):
        assert (ended.get("leads/").status_code, good.get("leads/").status_code) == (401, 200)
    with everywhere():
        used = ApiKey.objects.get(pk=second.pk).last_used_at
    assert abs(timezone.now() - used) < timedelta(minutes=1)


def test_a_key_can_be_made_for_each_room_of_the_api(owner, browse):
    browse(owner).post(reverse("keys"), KEY | {"member": str(owner.pk), "scopes": SCOPES})
    with everywhere():
        assert ApiKey.objects.get().scopes == list(SCOPES)


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"scopes": ["everything"]}, {"scopes": []}, {"until": "2001-01-01"}, {"until": "9999-12-31"}],
)
def test_a_key_with_something_wrong_is_not_made(owner, browse, wrong):
    assert browse(owner).post(reverse("keys"), KEY | {"member": str(owner.pk)} | wrong).status_code == 422
    with everywhere():
        assert not ApiKey.objects.exists()


def test_a_key_cannot_act_as_somebody_of_another_business(owner, outsider, browse, api):
    assert browse(owner).post(reverse("keys"), KEY | {"member": str(outsider.pk)}).status_code == 422
    api(outsider)
    with everywhere():
        theirs = ApiKey.objects.get()
    assert browse(owner).post(reverse("key-revoke", args=[theirs.pk])).status_code == 404
    with everywhere():
        theirs.refresh_from_db()
    assert theirs.revoked_at is None


@pytest.mark.parametrize("name", ["keys", "business", "mailbox"])
def test_keys_business_and_mailbox_are_the_owners(manager, marketer, browse, name):
    for member in (manager, marketer):
        assert browse(member).get(reverse(name)).status_code == 403


PROMISES = {f"{what}-{fit}": hours for fit in "ABCD" for what, hours in (("accept", "4"), ("contact", "6.5"))}


def values(**changes):
    return (
        {
            "name": "First & Sons",
            "timezone": "Europe/London",
        }
        | PROMISES
        | WEEK
        | changes
    )


def test_the_owner_changes_name_hours_and_promise(owner, browse, gate):
    client = browse(owner)
    assert (
        client.post(
            reverse("business"), values(**{"opens-5": "10:00", "closes-5": "12:00", "accept-A": "0.5"})
        ).status_code
        == 302
    )
    workspace = Workspace.objects.get(pk=owner.workspace_id)
    promised = {fit: {"accept": 0.5 if fit == "A" else 4, "contact": 6.5} for fit in "ABCD"}
    assert (workspace.name, workspace.promises) == ("First & Sons", promised)
    assert workspace.hours[5:] == [[["10:00", "12:00"]], []]
    with gate(owner):
        entry = AuditEntry.objects.get(action="business changed")
    assert entry.data["now"]["promises"] == promised
    page = client.get(reverse("business")).content.decode()
    assert 'name="closes-5" id="id_closes-5" value="12:00"' in page


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"timezone": "Mars/Olympus"},
        {"accept-A": "0"},
        {"contact-B": "201"},
        {"accept-C": ""},
        {"accept-D": "nan"},
        {"contact-D": "3.75"},
        {"opens-0": ""},
        {"opens-0": "18:00"},
        {"opens-0": "25:61"},
        dict.fromkeys(WEEK, ""),
    ],
)
def test_a_business_without_hours_or_with_nonsense_is_refused(owner, browse, wrong):
    answer = browse(owner).post(reverse("business"), values(**wrong))
    assert answer.status_code == 422
    assert "to put right" in answer.content.decode()
    workspace = Workspace.objects.get(pk=owner.workspace_id)
    assert (workspace.name, workspace.promises) == ("First", promises())


def test_a_time_or_a_promise_that_is_refused_is_told_at_its_field_to_who_does_not_see_it(owner, browse):
    page = browse(owner).post(reverse("business"), values(**{"accept-A": "0", "opens-0": "", "closes-1": "08:00"}))
    shown = page.content.decode()
    for name in ("accept-A", "opens-0", "closes-1"):
        tag = re.search(rf'<input [^>]*name="{name}"[^>]*>', shown)[0]
        assert f'aria-invalid="true" aria-describedby="id_{name}_error"' in tag
        assert f'<p class="invalid-feedback" id="id_{name}_error">' in shown
    assert shown.count('aria-invalid="true"') == 3


def test_the_business_page_says_where_a_lead_goes_that_nobody_takes(owner, browse):
    shown = browse(owner).get(reverse("business")).content.decode()
    assert "goes on to whoever is next, and where nobody is left, to the pool, where it waits on." in shown
    assert "When whoever it waits for goes away or doesn’t work that day, it goes on at once." in shown


def test_the_business_page_shows_each_part_of_baton(owner, browse):
    page = browse(owner).get(reverse("business")).content.decode()
    for part in ("Database", "Worker", "Timer", "Signal to the worker"):
        assert part in page


def test_the_promises_stand_there_as_one_would_write_them_and_the_handoffs_lead_to_them(owner, manager, browse, gate):
    with gate(owner) as at:
        given = {fit: {"accept": 2.0, "contact": 2.25} for fit in "ABCD"}
        people.change_business(owner.workspace, by=owner, at=at, promises=given)
    page = browse(owner).get(reverse("business")).content.decode()
    assert (page.count('value="2"'), page.count('value="2.25"')) == (4, 4)
    link = f'<a href="{reverse("business")}#pr-t">Change the promises</a>'
    assert link in browse(owner).get(reverse("handoffs")).content.decode()
    assert link not in browse(manager).get(reverse("handoffs")).content.decode()


def test_a_promise_that_would_take_years_to_keep_is_refused(owner, gate):
    quarter = [[["09:00", "09:15"]], [], [], [], [], [], []]
    with gate(owner) as at:
        far = promises() | {"B": {"accept": 100, "contact": 100}}
        with pytest.raises(people.NoHours):
            people.change_business(owner.workspace, by=owner, at=at, hours=quarter, promises=far)
        people.change_business(owner.workspace, by=owner, at=at, hours=quarter)
        for accept, contact in ((100, 100), (8, 120)):
            far = promises() | {"B": {"accept": accept, "contact": contact}}
            with pytest.raises(people.NoHours):
                people.change_business(owner.workspace, by=owner, at=at, promises=far)
        assert after(owner.workspace, at, 75 * 1.5) > at


def test_the_business_s_colour_dresses_its_public_pages(owner, browse, gate):
    client, visitor = browse(owner), Client()
    with gate(owner):
        form = Form.objects.get().path
    assert "/brand/" not in visitor.get(form).content.decode()
    assert client.post(reverse("letterhead"), {"brand": "red; } body { x"}).status_code == 422
    assert client.post(reverse("letterhead"), {"brand": "#f2b200"}).status_code == 302
    for page in (form, f"{form}frame/"):
        assert '<link rel="stylesheet" href="/brand/f2b200.css">' in visitor.get(page).content.decode()
    sheet = visitor.get("/brand/f2b200.css")
    assert sheet.content == b":root { --brand: #f2b200; }\n"
    assert (sheet["Content-Type"], "immutable" in sheet["Cache-Control"]) == ("text/css", True)
    assert not sheet.cookies
    assert visitor.get("/brand/red.css").status_code == 404
