"""What a visitor meets who sends a form, and what is kept of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from funnel.leads.models import Consent, Lead
from funnel.outbox.models import Effect, Event
from marketing.capture.models import Form

from .conftest import TYPED

pytestmark = pytest.mark.django_db


def test_a_form_is_shown_without_a_cookie_and_under_a_strict_policy(visitor: Client, form: Form) -> None:
    answer = visitor.get(form.path)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert not answer.cookies
    assert 'name="email"' in page
    assert "<script" not in page
    assert "style=" not in page
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy


def test_what_is_sent_becomes_a_lead_by_the_worker(
    visitor: Client, form: Form, owner: Any, gate: Any, work: Any
) -> None:
    answer = visitor.post(form.path, TYPED)
    assert answer.status_code == 303
    assert answer["Location"] == f"{form.path}thanks/"
    assert not answer.cookies
    assert visitor.get(answer["Location"]).status_code == 200
    with gate(owner):
        assert not Lead.objects.exists()
        assert Effect.objects.get(handler="receive").state == "due"
    work()
    with gate(owner):
        lead = Lead.objects.get()
        assert (lead.name, lead.email, lead.phone) == ("Daniel Osei", "daniel@osei.example", "+441632960111")
        assert Event.objects.get(kind="form").data["message"] == "Call me."
        assert lead.stage == "ready"


def test_a_plain_html_form_of_another_site_may_send_it_urlencoded(
    visitor: Client, form: Form, submissions: Any
) -> None:
    answer = visitor.post(
        form.path,
        "name=Ann&email=ann%40else.example&submit=Send",
        content_type="application/x-www-form-urlencoded",
        headers={"Origin": "https://else.example", "Referer": "https://else.example/contact?utm_source=spring"},
    )
    assert answer.status_code == 303
    (kept,) = submissions()
    assert kept.typed == {"name": "Ann", "email": "ann@else.example"}
    assert (kept.origin["channel"], kept.origin["placement"]) == ("referral", "spring")
    assert kept.origin["referrer"].startswith("https://else.example/contact")


@pytest.mark.django_db(transaction=True)
def test_a_capture_needs_at_most_six_statements(visitor: Client, form: Form) -> None:
    visitor.post(form.path, TYPED)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert visitor.post(form.path, TYPED).status_code == 303
    said = [one["sql"] for one in queries if not one["sql"].startswith(("BEGIN", "COMMIT"))]
    assert not [sql for sql in said if "SAVEPOINT" in sql]
    assert len(said) <= 6, said


def test_a_ticked_consent_box_records_its_text_and_an_unticked_one_writes_nothing(
    visitor: Client, form: Form, set_form: Any, owner: Any, gate: Any, work: Any
) -> None:
    set_form(form, consent_text="Send me news.")
    visitor.post(form.path, {**TYPED, "consent": "yes"})
    visitor.post(form.path, TYPED)
    visitor.post(form.path, {"name": "Ben", "email": "ben@else.example"})
    work()
    with gate(owner):
        assert [(one.lead.name, one.text, one.channel) for one in Consent.objects.select_related("lead")] == [
            ("Daniel Osei", "Send me news.", "email")
        ]


def test_unknown_fields_are_left_out_and_logged(
    visitor: Client, form: Form, submissions: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "baton.capture"):
        visitor.post(form.path, {**TYPED, "tenant_id": "1", "score": "99", "a\r\nb": "x"})
    assert submissions()[0].typed == TYPED
    assert "tenant_id" in caplog.text
    assert "a\r\nb" not in caplog.text


def test_a_redirect_in_the_post_leads_nowhere(visitor: Client, form: Form) -> None:
    answer = visitor.post(f"{form.path}?redirect=//evil.example", {**TYPED, "redirect": "javascript:alert(1)"})
    assert answer["Location"] == f"{form.path}thanks/"


def test_a_double_click_makes_one_lead(visitor: Client, form: Form, owner: Any, gate: Any, work: Any) -> None:
    visitor.post(form.path, TYPED)
    visitor.post(form.path, TYPED)
    work()
    with gate(owner):
        assert Lead.objects.count() == 1


def test_a_member_who_is_logged_in_may_try_the_form(browse: Any, owner: Any, form: Form) -> None:
    client = browse(owner)
    assert client.get(form.path).status_code == 200
    answer = client.post(form.path, TYPED)
    assert answer.status_code == 303
    assert not answer.cookies


def test_a_closed_form_says_so_and_keeps_nothing(visitor: Client, form: Form, set_form: Any, submissions: Any) -> None:
    set_form(form, is_open=False)
    for answer in (visitor.get(form.path), visitor.post(form.path, TYPED)):
        assert answer.status_code == 410
        assert "This form is closed." in answer.content.decode()
    assert not submissions()


def test_what_an_editor_changes_holds_for_the_next_visitor(
    visitor: Client, form: Form, set_form: Any, submissions: Any
) -> None:
    assert visitor.post(form.path, TYPED).status_code == 303
    set_form(form, fields=[{"name": "phone", "label": "Phone", "required": True}])
    assert visitor.post(form.path, TYPED).status_code == 303
    assert visitor.post(form.path, {"email": "daniel@osei.example"}).status_code == 422
    assert [sorted(one.typed) for one in submissions()] == [["email", "message", "name", "phone"], ["phone"]]
    set_form(form, is_open=False)
    assert visitor.post(form.path, TYPED).status_code == 410


def test_an_unknown_address_is_not_found(visitor: Client, form: Form) -> None:
    assert visitor.get("/f/nobody/").status_code == 404
    assert visitor.post("/f/nobody/", TYPED).status_code == 404
    assert visitor.put(form.path).status_code == 405


def test_the_framed_form_may_stand_in_the_listed_sites_only(visitor: Client, form: Form, set_form: Any) -> None:
    answer = visitor.get(f"{form.path}frame/")
    assert "X-Frame-Options" not in answer
    assert "frame-ancestors *" in answer["Content-Security-Policy"]
    set_form(form, origins=["https://ours.example"])
    answer = visitor.get(f"{form.path}frame/")
    assert "frame-ancestors 'self' https://ours.example" in answer["Content-Security-Policy"]
    sent = visitor.post(f"{form.path}frame/", TYPED, headers={"Origin": "http://testserver"})
    assert sent["Location"] == f"{form.path}frame/thanks/"
    assert "X-Frame-Options" not in visitor.get(sent["Location"])
