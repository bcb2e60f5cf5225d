"""Bad input: a sentence, no 500, and nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from marketing.capture.models import Form

from .conftest import TYPED

pytestmark = pytest.mark.django_db
PLAIN = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": ""}, "Please tell us your name."),
        ({"name": "a\x00b"}, "can’t be stored"),
        ({"message": "a\x00b"}, "can’t be stored"),
        ({"message": "x" * 5001}, "longer than 5,000"),
        ({"name": "x" * 201}, "longer than 200"),
        ({"email": "a@x.com\nBcc: b@x.com"}, "not an e-mail address"),
        ({"email": "a@localhost"}, "not an e-mail address"),
        ({"email": "a@[127.0.0.1]"}, "not an e-mail address"),
        ({"email": "a" * 65 + "@x.example"}, "not an e-mail address"),
        ({"email": "a\u200b@x.example"}, "not an e-mail address"),
        ({"email": "no address"}, "not an e-mail address"),
        ({"phone": "07700 1"}, "too few digits"),
        ({"phone": "077"}, "too few digits"),
        ({"phone": "call me"}, "not a phone number"),
    ],
)
def test_a_wrong_field_comes_back_with_a_sentence_and_what_was_typed(
    visitor: Client, form: Form, submissions: Any, changed: dict[str, str], sentence: str
) -> None:
    answer = visitor.post(form.path, {**TYPED, **changed})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in page
    assert 'id="wrong"' in page
    assert 'action="#wrong"' in page
    assert TYPED["company" if "company" in changed else "message" if "name" in changed else "name"] in page
    assert "\x00" not in page
    assert not answer.cookies
    assert not submissions()


def test_a_form_without_any_way_to_reach_somebody_is_asked_again(
    visitor: Client, form: Form, set_form: Any, submissions: Any
) -> None:
    set_form(form, fields=[{"name": "name", "label": "Name", "required": True}, {"name": "phone", "label": "Phone"}])
    answer = visitor.post(form.path, {"name": "Ann"})
    assert answer.status_code == 422
    assert "how to reach you" in answer.content.decode()
    assert not submissions()


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", PLAIN, 422),
        (b"name=%FF&email=a@x.example", PLAIN, 400),
        (b"name=\xff", PLAIN, 400),
        (b"\xff\xfen\x00a\x00", PLAIN, 400),
        ("&".join(f"a{n}=1" for n in range(2000)).encode(), PLAIN, 400),
        (b"x" * (65 * 1024), PLAIN, 413),
        (b"name=a", "text/plain", 415),
        (b"<name/>", "application/xml", 415),
        (b"{}", "application/json", 415),
        (b"name=a", "", 415),
        (b"name=a", f"{PLAIN}; charset=klingon", 415),
        (b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nAnn', "multipart/form-data; boundary=b", 400),
        (b"--b--", "multipart/form-data", 400),
        (
            b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n\xff\r\n--b--',
            "multipart/form-data; boundary=b",
            400,
        ),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    visitor: Client, form: Form, submissions: Any, body: bytes, kind: str, status: int
) -> None:
    answer = visitor.generic("POST", form.path, body, CONTENT_TYPE=kind)
    assert answer.status_code == status
    assert "Traceback" not in answer.content.decode()
    assert not submissions()


def test_too_much_is_refused_before_it_is_read(visitor: Client, form: Form, submissions: Any) -> None:
    answer = visitor.post(form.path, {**TYPED, "message": "x" * 11_000_000})
    assert answer.status_code == 413
    assert not submissions()


def test_a_file_is_left_out(visitor: Client, form: Form, submissions: Any) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    answer = visitor.post(form.path, {**TYPED, "cv": SimpleUploadedFile("cv.pdf", b"%PDF")})
    assert answer.status_code == 303
    assert submissions()[0].typed == TYPED


def test_another_host_name_is_refused(visitor: Client, form: Form, settings: Any, submissions: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    assert visitor.post(form.path, TYPED, headers={"Host": "evil"}).status_code == 400
    assert not submissions()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://ours.example"}, 303),
        ({"Referer": "https://ours.example/contact"}, 303),
        ({"Origin": "http://testserver"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://ours.example.evil.example"}, 403),
        ({"Referer": "https://evil.example/?https://ours.example"}, 403),
        ({}, 403),
    ],
)
def test_with_listed_sites_a_form_comes_only_from_them(
    visitor: Client, form: Form, set_form: Any, submissions: Any, headers: dict[str, str], status: int
) -> None:
    set_form(form, origins=["https://ours.example"])
    answer = visitor.post(form.path, TYPED, headers=headers)
    assert answer.status_code == status
    assert len(submissions()) == (status == 303)
    if status == 403:
        assert "from that page" in answer.content.decode()


def test_too_many_from_one_address_wait_whatever_they_say_their_address_is(
    visitor: Client, form: Form, settings: Any, submissions: Any
) -> None:
    settings.FORM_LIMITS = (3, 0)
    for n in range(3):
        assert visitor.post(form.path, TYPED, headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code == 303
    answer = visitor.post(form.path, TYPED, headers={"X-Forwarded-For": "10.0.0.9"})
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert len(submissions()) == 3
    assert visitor.post(form.path, TYPED, REMOTE_ADDR="10.9.9.9").status_code == 303


def test_behind_a_declared_proxy_the_address_is_the_one_that_it_saw(visitor: Client, form: Form, settings: Any) -> None:
    settings.FORM_LIMITS, settings.TRUSTED_PROXIES = (1, 0), 1
    assert visitor.post(form.path, TYPED, headers={"X-Forwarded-For": "1.1.1.1, 10.0.0.1"}).status_code == 303
    assert visitor.post(form.path, TYPED, headers={"X-Forwarded-For": "2.2.2.2, 10.0.0.1"}).status_code == 429
    assert visitor.post(form.path, TYPED, headers={"X-Forwarded-For": "1.1.1.1, 10.0.0.2"}).status_code == 303


def test_a_form_has_a_limit_of_its_own(visitor: Client, form: Form, settings: Any) -> None:
    settings.FORM_LIMITS = (0, 2)
    answers = [visitor.post(form.path, TYPED, REMOTE_ADDR=f"10.0.0.{n}").status_code for n in range(3)]
    assert answers == [303, 303, 429]


def test_odd_but_honest_names_are_kept_as_typed(
    visitor: Client, form: Form, submissions: Any, owner: Any, gate: Any, work: Any
) -> None:
    from funnel.leads.models import Lead

    names = ["\u202eevil", "👩‍👩‍👧 Ann", "e" + "\u0301" * 150, "=cmd@x", "{{7*7}}", "<b>Ann</b>"]
    for n, name in enumerate(names):
        assert visitor.post(form.path, {"name": name, "email": f"a{n}@x.example"}).status_code == 303
    work()
    assert [one.typed["name"] for one in submissions()] == names
    with gate(owner):
        assert Lead.objects.count() == len(names)


def test_a_lookalike_domain_is_kept_in_its_ascii_form_and_pointed_out(
    visitor: Client, form: Form, owner: Any, gate: Any, work: Any, browse: Any
) -> None:
    from funnel.leads.models import Lead

    visitor.post(form.path, {"name": "Ann", "email": "ann@раураl.example"})
    work()
    with gate(owner):
        lead = Lead.objects.get()
    assert "@xn--" in lead.email
    assert "look twice" in browse(owner).get(f"/leads/{lead.pk}/").content.decode()


def test_a_referrer_that_is_no_address_is_no_allowed_page(
    visitor: Client, form: Form, set_form: Any, submissions: Any
) -> None:
    set_form(form, origins=["https://www.example.com"])
    assert visitor.post(form.path, TYPED, headers={"Referer": "http://[::1"}).status_code == 403
    assert submissions() == []
