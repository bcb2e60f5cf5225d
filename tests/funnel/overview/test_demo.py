"""The demo business: made once, whole, alive, and nobody else's."""

import json
import stat
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from funnel.outbox.models import Effect, State
from funnel.workspaces.gate import everywhere, tenant
from funnel.workspaces.models import Member, Workspace


def made(**options):
    out = StringIO()
    call_command("demo", stdout=out, **options)
    return json.loads(out.getvalue())["logins"]


@pytest.mark.django_db(transaction=True)
def test_the_demo_business_is_made_once_and_is_alive(settings, tmp_path):
    settings.DATA = tmp_path
    logins = made()
    assert [login["role"] for login in logins] == ["owner", "marketer", "rep", "rep"]
    assert all(login["email"].endswith("@ternbrook.example") and len(login["password"]) >= 16 for login in logins)
    kept = tmp_path / "demo-logins.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    assert made() == logins
    workspace = Workspace.objects.get(is_demo=True)

    with tenant(workspace) as at:
        waiting = Handoff.objects.open()
        assert waiting.count() == 3
        assert waiting.filter(due_at__lt=at).count() == 1
        assert Lead.objects.filter(waits_since__isnull=False).count() == 12
        assert Handoff.objects.exclude(given_back_at=None).exclude(note="").count() == 12
        assert Lead.objects.count() > 150
        assert not Lead.objects.filter(received_at__gt=at).exists()
        assert Handoff.objects.get(outcome="", lead__name="Callum Reid").offered_to.name == "Raj Bhandari"
    with everywhere():
        left = Effect.objects.filter(workspace=workspace, state=State.DUE)
        assert not left.filter(due_at__lt=at - timedelta(minutes=5)).exists()
        assert not left.filter(lane="mail").exists()
        assert not Effect.objects.filter(state=State.STUCK).exists()
    call_command("check_facts", stdout=StringIO())

    for login in logins:
        answer = Client().post(reverse("account_login"), {"login": login["email"], "password": login["password"]})
        assert answer.status_code == 302
        with everywhere():
            assert Member.objects.filter(user__email=login["email"]).count() == 1


@pytest.mark.once
@pytest.mark.django_db(transaction=True)
def test_in_the_middle_of_a_night_before_a_holiday_one_is_late_and_two_are_in_time(settings, tmp_path):
    settings.DATA = tmp_path
    now = datetime(2027, 1, 1, 0, 5, tzinfo=UTC)
    made(at=now)
    with tenant(Workspace.objects.get(is_demo=True)):
        waiting = Handoff.objects.open()
        assert (waiting.filter(due_at__lt=now).count(), waiting.filter(due_at__gt=now).count()) == (1, 2)
        assert Lead.objects.filter(waits_since__isnull=False).count() == 12
