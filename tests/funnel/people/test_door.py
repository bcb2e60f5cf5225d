"""Sign up, log in, choose a new password."""

import pytest
from django.core.cache import caches
from django.test import Client
from django.urls import reverse

from funnel.mail.links import password_link
from funnel.mail.models import Message
from funnel.workspaces import limits
from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import Member, Role, User, Workspace
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
NEW = {
    "business": "Ternbrook Roofing",
    "country": "GB",
    "timezone": "",
    "days": ["0", "1", "2", "3", "4"],
    "opens": "08:30",
    "closes": "17:00",
    "name": "Gwen Pryce",
    "email": "Gwen@Roofing.example",
    "password1": "a-long-enough-word",
}


def sign_up(**changes):
    client = Client()
    return client, client.post(reverse("account_signup"), NEW | changes)


def test_signing_up_starts_a_business_with_its_owner_logged_in():
    client, answer = sign_up()
    assert (answer.status_code, answer["Location"]) == (302, "/")
    workspace = Workspace.objects.get()
    assert (workspace.name, workspace.currency, workspace.time_zone) == ("Ternbrook Roofing", "GBP", "Europe/London")
    assert workspace.hours == [[["08:30", "17:00"]]] * 5 + [[], []]
    with everywhere():
        member = Member.objects.select_related("user").get()
    assert (member.role, member.takes_leads, member.email, member.name) == (
        Role.OWNER, True, "gwen@roofing.example", "Gwen Pryce",
    )  # fmt: skip
    assert client.get(reverse("people")).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"business": ""}, "business"),
        ({"country": "ZZ"}, "country"),
        ({"country": "US"}, "timezone"),
        ({"days": []}, "days"),
        ({"opens": "17:00", "closes": "09:00"}, "closes"),
        ({"email": "nobody"}, "email"),
        ({"password1": "short"}, "password1"),
        ({"name": "a\0b"}, "name"),
    ],
)
def test_a_sign_up_with_something_wrong_stores_nothing(wrong, field):
    _, answer = sign_up(**wrong)
    assert answer.status_code == 200
    assert field in answer.context["form"].errors
    assert not User.objects.exists()
    assert not Workspace.objects.exists()


def test_an_address_that_has_a_log_in_starts_no_second_one(owner):
    _, answer = sign_up(email=owner.email.upper())
    assert "Log in with it instead" in answer.content.decode()
    assert User.objects.count() == 1
    assert Workspace.objects.count() == 1


def test_a_person_logs_in_whatever_capitals_they_write(owner):
    client = Client()
    answer = client.post(reverse("account_login"), {"login": "OLGA@First.example", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_after_too_many_tries_there_is_a_pause_for_that_address_alone(owner, rep, settings):
    settings.AXES_FAILURE_LIMIT = 3
    client = Client()
    for name in ("olga@first.example", "OLGA@first.example", "Olga@First.example"):
        answer = client.post(reverse("account_login"), {"login": name, "password": "wrong"})
    assert answer.status_code == 429
    assert "A short pause" in answer.content.decode()
    good = {"login": "olga@first.example", "password": PASSWORD}
    assert client.post(reverse("account_login"), good).status_code == 429
    assert client.post(reverse("account_login"), {"login": rep.email, "password": PASSWORD}).status_code == 302


def test_one_wrong_try_says_so_and_logs_nobody_in(owner):
    client = Client()
    answer = client.post(reverse("account_login"), {"login": owner.email, "password": "wrong"})
    assert "do not fit together" in answer.content.decode()
    assert client.get(reverse("people")).status_code == 302


@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_reset_password"])
def test_without_the_store_of_counters_the_door_closes_with_a_sentence(owner, monkeypatch, name):
    def away(*_, **__):
        raise limits.store_errors()[0]("it doesn't answer")

    for method in ("get", "set", "add", "incr", "touch", "delete"):
        monkeypatch.setattr(type(caches["default"]), method, away)
    client = Client()
    assert client.get(reverse(name)).status_code == 200
    answer = client.post(reverse(name), NEW | {"login": owner.email, "password": PASSWORD, "email": owner.email})
    assert answer.status_code == 503
    assert "Try again" in answer.content.decode()
    assert answer["Retry-After"]


def test_asking_for_a_new_password_answers_alike_whether_or_not_there_is_a_log_in(owner, gate):
    answers = [
        Client().post(reverse("account_reset_password"), {"email": email})
        for email in (owner.email, "nobody@first.example")
    ]
    assert [one.status_code for one in answers] == [302, 302]
    assert answers[0]["Location"] == answers[1]["Location"]
    with gate(owner):
        (letter,) = Message.objects.all()
    assert (letter.kind, letter.to_email) == ("password", owner.email)
    assert "password/" not in str(letter.context)


def test_without_mail_no_link_is_promised_and_the_owner_reads_what_helps(owner, settings):
    command = "<code>.venv/bin/python manage.py changepassword you@example.com</code>"
    for name in ("account_reset_password", "account_reset_password_done"):
        page = Client().get(reverse(name)).content.decode()
        assert command in page
        assert "Send the link" not in page
        assert "We send" not in page
        assert "on its way" not in page
    settings.EMAIL_URL = "smtp://127.0.0.1"
    page = Client().get(reverse("account_reset_password")).content.decode()
    assert "Send the link" in page
    assert "Mail is not being sent" not in page
    assert "on its way" in Client().get(reverse("account_reset_password_done")).content.decode()


def test_the_link_of_the_letter_sets_a_new_password_once(owner):
    link = password_link(owner.user).removeprefix("http://127.0.0.1:8000")
    client = Client()
    answer = client.get(link, follow=True)
    assert answer.status_code == 200
    place = answer.redirect_chain[-1][0]
    client.post(place, {"password1": "quite-another-word", "password2": "quite-another-word"})
    owner.user.refresh_from_db()
    assert owner.user.check_password("quite-another-word")
    assert "too old" in Client().get(link, follow=True).content.decode()


def test_only_those_pages_of_allauth_have_an_address_that_are_used():
    for path in ("accounts/email/", "accounts/confirm-email/", "accounts/password/set/", "accounts/reauthenticate/"):
        assert Client().get(f"/{path}").status_code in (302, 404)
        assert "login" in Client().get(f"/{path}").get("Location", "login")


def test_somebody_without_a_business_is_led_to_starting_one(db):
    user = User.objects.create_user("alone@nowhere.example", PASSWORD, name="Alone")
    client = Client()
    client.force_login(user, backend="funnel.workspaces.login.LoginBackend")
    answer = client.get(reverse("people"))
    assert (answer.status_code, answer["Location"]) == (302, reverse("start"))
    assert "can’t be changed later" in client.get(reverse("start")).content.decode()
    fields = {key: NEW[key] for key in ("business", "country", "timezone", "days", "opens", "closes")}
    assert client.post(reverse("start"), fields | {"days": []}).status_code == 422
    assert not Workspace.objects.exists()
    assert client.post(reverse("start"), fields).status_code == 302
    assert client.get(reverse("people")).status_code == 200


def test_one_goes_from_one_business_to_another_but_not_into_a_strangers(owner, outsider, browse):
    client = browse(owner)
    fields = {key: NEW[key] for key in ("business", "country", "timezone", "days", "opens", "closes")}
    client.post(reverse("start"), fields)
    assert "Ternbrook Roofing" in client.get(reverse("business")).content.decode()
    assert client.get(reverse("switch", args=[owner.workspace_id])).status_code == 405
    assert client.post(reverse("switch", args=[owner.workspace_id])).status_code == 302
    assert 'value="First"' in client.get(reverse("business")).content.decode()
    assert client.post(reverse("switch", args=[outsider.workspace_id])).status_code == 404


def test_logging_out_everywhere_ends_every_session(owner, browse):
    here, there = browse(owner), browse(owner)
    assert there.get(reverse("me")).status_code == 200
    assert here.post(reverse("me-logout")).status_code == 302
    assert here.get(reverse("me")).status_code == 302
    assert there.get(reverse("me")).status_code == 302


def test_a_new_password_needs_the_present_one_and_ends_other_sessions(owner, browse):
    here, there = browse(owner), browse(owner)
    words = {"which": "password", "new_password1": "quite-another-word", "new_password2": "quite-another-word"}
    assert here.post(reverse("me"), words | {"old_password": "wrong"}).status_code == 422
    owner.user.refresh_from_db()
    assert owner.user.check_password(PASSWORD)
    assert here.post(reverse("me"), words | {"old_password": PASSWORD}).status_code == 302
    assert here.get(reverse("me")).status_code == 200
    assert there.get(reverse("me")).status_code == 302


def test_a_forged_sender_address_gives_no_more_tries(owner, settings):
    settings.AXES_FAILURE_LIMIT = 3
    answers = [
        Client().post(
            reverse("account_login"),
            {"login": owner.email, "password": "wrong"},
            headers={"X-Forwarded-For": f"203.0.113.{number}"},
        )
        for number in range(3)
    ]
    assert answers[-1].status_code == 429


def test_signing_up_is_throttled(db, settings):
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "signup": "3/h/ip"}
    answers = [sign_up(email=f"person{number}@roofing.example", days=[])[1].status_code for number in range(4)]
    assert answers == [200, 200, 200, 429]
    assert not User.objects.exists()
