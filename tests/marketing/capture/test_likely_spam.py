"""What a script sends is answered like any other, kept, flagged and listed; a button lets it through."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from funnel.leads.models import Lead
from funnel.outbox.models import Effect, Event
from funnel.workspaces.models import AuditEntry
from marketing.campaigns.actions import start_campaign
from marketing.campaigns.models import Campaign
from marketing.capture.actions import NotHeld, release, send_in
from marketing.capture.models import Form, Submission
from marketing.capture.public import _stamp

from .conftest import TYPED

pytestmark = pytest.mark.django_db


def stamp(form: Form, at: Any, ago: float) -> str:
    return _stamp(form.token, int((at - timedelta(seconds=ago)).timestamp() * 1000))


def test_the_filled_trap_is_answered_like_any_other_and_kept(
    visitor: Client, form: Form, submissions: Any, owner: Any, gate: Any, work: Any
) -> None:
    answer = visitor.post(form.path, {**TYPED, "website": "https://spam.example"})
    assert (answer.status_code, answer["Location"]) == (303, f"{form.path}thanks/")
    work()
    (kept,) = submissions()
    assert (kept.quarantined, kept.flags, kept.typed) == (True, ["trap"], TYPED)
    with gate(owner):
        assert not Lead.objects.exists()
        assert not Effect.objects.filter(handler="receive").exists()


def test_what_comes_within_two_seconds_is_held_and_what_comes_later_is_not(
    visitor: Client, form: Form, submissions: Any, owner: Any, gate: Any
) -> None:
    with gate(owner) as at:
        fast, slow, old = stamp(form, at, 0), stamp(form, at, 3), stamp(form, at, 3600 * 24 * 30)
    for shown in (fast, slow, old, "1:forged", ""):
        assert visitor.post(form.path, {**TYPED, "shown": shown}).status_code == 303
    assert [one.flags for one in submissions()] == [["fast"], [], ["old"], ["forged"], []]


def test_the_page_itself_carries_the_moment_it_was_shown(visitor: Client, form: Form, submissions: Any) -> None:
    page = visitor.get(form.path).content.decode()
    shown = page.split('name="shown" value="')[1].split('"')[0]
    visitor.post(form.path, {**TYPED, "shown": shown})
    assert submissions()[0].flags == ["fast"]


def test_one_form_s_moment_does_not_count_for_another(
    visitor: Client, form: Form, submissions: Any, owner: Any, gate: Any
) -> None:
    with gate(owner) as at:
        shown = _stamp("another", int((at - timedelta(seconds=9)).timestamp() * 1000))
    visitor.post(form.path, {**TYPED, "shown": shown})
    assert submissions()[0].flags == ["forged"]


def test_the_button_lets_it_through_with_its_own_time(
    visitor: Client, form: Form, submissions: Any, owner: Any, gate: Any, work: Any
) -> None:
    visitor.post(form.path, {**TYPED, "website": "x"})
    (kept,) = submissions()
    with gate(owner) as at:
        moment = at - timedelta(days=3)
        Submission.objects.filter(pk=kept.pk).update(received_at=moment)
        release(kept, by=owner, at=at)
    work()
    with gate(owner) as at:
        lead = Lead.objects.get()
        assert lead.received_at == moment
        assert lead.stage == "ready"
        assert Event.objects.get(kind="form").occurred_at == moment
        assert AuditEntry.objects.filter(action="submission released").count() == 1
        with pytest.raises(NotHeld):
            release(kept, by=owner, at=at)
    (kept,) = submissions()
    assert not kept.quarantined
    assert kept.released_at


def test_a_campaign_says_where_its_form_holds_something_back(
    form: Form, set_form: Any, browse: Any, marketer: Any, gate: Any
) -> None:
    with gate(marketer) as at:
        one = start_campaign(Campaign(workspace=marketer.workspace, name="Spring"), by=marketer, at=at)
    set_form(form, campaign=one)
    page, held = browse(marketer), reverse("marketing:form-submissions", args=[form.pk]) + "?is=held"
    assert held not in page.get(f"/marketing/campaigns/{one.pk}/").content.decode()
    with gate(marketer) as at:
        send_in(form, TYPED, origin={}, flags=["trap"], at=at)
    assert held in page.get(f"/marketing/campaigns/{one.pk}/").content.decode()


def test_what_is_held_back_is_named_at_its_form_however_long_ago_it_came(
    form: Form, browse: Any, marketer: Any, gate: Any
) -> None:
    with gate(marketer) as at:
        send_in(form, TYPED, origin={}, flags=["trap"], at=at - timedelta(days=40))
        send_in(form, TYPED, origin={}, flags=[], at=at)
    held = reverse("marketing:form-submissions", args=[form.pk]) + "?is=held"
    for page in (reverse("marketing:form", args=[form.pk]), reverse("marketing:forms")):
        shown = browse(marketer).get(page).content.decode()
        assert f'href="{held}">1' in shown, page
    own = browse(marketer).get(reverse("marketing:form", args=[form.pk])).content.decode()
    assert "Sent 1 time in 30 days" in own


def test_a_held_entry_is_corrected_on_its_page_and_becomes_a_lead(
    form: Form, submissions: Any, owner: Any, marketer: Any, viewer: Any, browse: Any, gate: Any, work: Any
) -> None:
    with gate(owner) as at:
        send_in(form, {"name": "Ann", "email": "ann@bell", "message": "Call"}, origin={}, flags=[], at=at)
    work()
    (kept,) = submissions()
    assert kept.refused
    held = reverse("marketing:form-submissions", args=[form.pk]) + "?is=held"
    assert 'value="ann@bell"' in browse(marketer).get(held).content.decode()
    assert 'value="ann@bell"' not in browse(viewer).get(held).content.decode()
    path = reverse("marketing:submission-release", args=[kept.pk])
    assert browse(viewer).post(path, {"email": "ann@bell.example"}).status_code == 403
    browse(marketer).post(path, {"name": "Ann", "email": "ann\x00@bell.example"})
    assert submissions()[0].quarantined, "what can’t be kept changes nothing"
    answer = browse(marketer).post(path, {"name": "Ann", "email": "ann@bell"}, follow=True).content.decode()
    assert "This is not an e-mail address" in answer
    assert submissions()[0].quarantined, "what would be refused again is refused at the button"
    browse(marketer).post(path, {"name": "Ann", "email": "ann@bell.example", "message": "Not asked"})
    work()
    with gate(owner):
        lead = Lead.objects.get()
        assert (lead.name, lead.email) == ("Ann", "ann@bell.example")
        assert Event.objects.get(kind="form").data["message"] == "Call"
        assert AuditEntry.objects.get(action="submission released").data["corrected"] == ["email"]


def test_what_the_worker_can_make_no_lead_of_waits_with_its_reason(
    form: Form, submissions: Any, owner: Any, gate: Any, work: Any
) -> None:
    with gate(owner) as at:
        send_in(form, {"name": "Ann", "email": "broken"}, origin={}, flags=[], at=at)
        send_in(form, TYPED, origin={}, flags=[], at=at)
    work()
    refused, taken = sorted(submissions(), key=lambda one: "phone" in one.typed)
    assert refused.quarantined
    assert "e-mail" in refused.refused["email"]
    assert not taken.quarantined
    with gate(owner):
        assert Lead.objects.count() == 1
