"""manage.py workspace create and workspace member."""

import io
import json
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import ApiKey, AuditEntry, Member, User, Workspace
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
ASKED = {"--owner": "Gwen@Roofing.example", "--country": "GB", "--timezone": "Europe/London", "--with-key": "all"}


@pytest.fixture
def create(monkeypatch):
    def made(password="a-long-enough-word", name="Ternbrook Roofing", **changes):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        said = io.StringIO()
        asked = ASKED | {f"--{key.replace('_', '-')}": value for key, value in changes.items()}
        given = [part for pair in asked.items() if pair[1] is not None for part in pair]
        call_command("workspace", "create", name, *given, "--password-stdin", stdout=said)
        return said.getvalue()

    return made


def test_it_prints_the_business_its_owner_and_a_key_that_works(create):
    said = create()
    assert said.count("\n") == 1
    answer = json.loads(said)
    assert set(answer) == {"workspace", "owner", "api_key"}
    assert set(answer["workspace"]) == {"slug", "id", "name"}
    assert answer["workspace"]["name"] == "Ternbrook Roofing"
    assert answer["workspace"]["slug"] == "ternbrook-roofing"
    uuid.UUID(answer["workspace"]["id"])
    assert answer["owner"] == {"email": "gwen@roofing.example"}
    headers = {"Authorization": f"Bearer {answer['api_key']}"}
    assert Client().get("/api/v1/leads/", headers=headers).status_code == 200
    words = {"login": "gwen@roofing.example", "password": "a-long-enough-word"}
    assert Client().post(reverse("account_login"), words).status_code == 302


def test_a_second_business_of_one_name_gets_an_address_of_its_own(create):
    assert json.loads(create())["workspace"]["slug"] != json.loads(create())["workspace"]["slug"]
    assert User.objects.count() == 1


def test_without_scopes_there_is_no_key(create):
    assert json.loads(create(with_key=None))["api_key"] is None
    with everywhere():
        assert not ApiKey.objects.exists()


def test_an_existing_person_becomes_owner_with_their_own_password_only(create, owner):
    with pytest.raises(CommandError, match="not its password"):
        create("another-long-word", owner=owner.email)
    assert Workspace.objects.count() == 1
    create(PASSWORD, owner=owner.email)
    with everywhere():
        assert Member.objects.filter(user=owner.user, role="owner").count() == 2


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": " "}, "name"),
        ({"country": "QX"}, "country"),
        ({"timezone": "Mars/Olympus"}, "time zone"),
        ({"with_key": "everything"}, "scope"),
        ({"with_key": ""}, "scopes"),
        ({"owner": "nobody"}, "e-mail"),
        ({"password": "short"}, "short"),
        ({"password": ""}, "short"),
    ],
)
def test_something_wrong_is_said_in_a_sentence_and_nothing_is_made(create, wrong, sentence):
    with pytest.raises(CommandError, match=sentence):
        create(**wrong)
    assert not User.objects.exists()
    assert not Workspace.objects.exists()


@pytest.fixture
def bring_in(workspace):
    def brought(*more, slug=workspace.slug, email="Moses@Agents.example", name="Moses Frase", role="rep"):
        said = io.StringIO()
        call_command("workspace", "member", slug, "--email", email, "--name", name, "--role", role, *more, stdout=said)
        return json.loads(said.getvalue())

    return brought


def test_an_inactive_member_holds_a_place_without_a_log_in_and_twice_is_once(bring_in, workspace, owner, gate, api):
    told = {"email": "moses@agents.example", "name": "Moses Frase", "role": "rep", "active": False}
    told |= {"takes_leads": False, "weekly_leads": 10}
    for _ in range(2):
        assert bring_in("--inactive") == {"workspace": workspace.slug, "member": told}
    with gate(owner):
        member = Member.objects.get(user__email="moses@agents.example")
        assert not member.user.has_usable_password()
        assert not Member.objects.taking_leads().filter(pk=member.pk).exists()
        assert AuditEntry.objects.filter(action="brought in").count() == 1
    listed = api(owner).get("members/").json()["results"]
    assert [one["active"] for one in listed if one["email"] == "moses@agents.example"] == [False]


def test_an_active_rep_is_offered_leads_and_a_known_person_keeps_their_name(bring_in, outsider):
    told = bring_in(email=outsider.email, name="Somebody Else")["member"]
    assert told["name"] == outsider.name
    assert told["takes_leads"]
    with everywhere():
        assert Member.objects.filter(user=outsider.user).count() == 2


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"slug": "nothing"}, "no business"),
        ({"email": "nobody"}, "e-mail"),
        ({"name": " "}, "name"),
        ({"email": "olga@first.example"}, "here already, as owner"),
        ({"role": "king"}, "invalid choice"),
    ],
)
def test_whoever_can_not_be_brought_in_is_said_and_nothing_is_made(bring_in, wrong, sentence):
    before = User.objects.count()
    with pytest.raises(CommandError, match=sentence):
        bring_in(**wrong)
    assert User.objects.count() == before
