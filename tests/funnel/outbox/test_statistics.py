"""SQLite is told how its tables are filled, and is not misled by columns that are mostly empty."""

import pytest
from django.db import connection

from funnel.handoff.card import touches_of
from funnel.leads.identity import Capture
from funnel.leads.models import Lead, LeadKey
from funnel.leads.receiving import receive
from funnel.outbox.models import Effect, Event
from funnel.outbox.tasks import learn
from funnel.workspaces.ids import uuid7


@pytest.mark.once
def test_a_timeline_finds_what_took_an_event_back_by_its_index(owner, gate):
    with gate(owner) as at:
        leads = [Capture(kind="api", email=f"a{number}@b.example") for number in range(60)]
        lead = receive(owner.workspace, leads, at=at)[0].lead
    learn()
    with connection.cursor() as cursor:
        cursor.execute("SELECT idx FROM sqlite_stat1 WHERE tbl IN ('funnel_lead', 'funnel_event')")
        known = {row[0] for row in cursor.fetchall()}
    # What was learned holds for connections that are opened anew.
    assert {"lead_recent", "event_timeline"} <= known
    assert "sqlite_autoindex_funnel_event_1" not in known
    with gate(owner):
        plan = Event.objects.filter(lead=lead).timeline().explain()
    assert "(voids_id=?)" in plan


@pytest.mark.once
@pytest.mark.parametrize("looked", [False, True])
def test_rows_are_found_by_their_ids_and_not_among_all_of_a_young_business(owner, gate, looked):
    with gate(owner) as at:
        receive(owner.workspace, [Capture(kind="form", email=f"a{number}@b.example") for number in range(30)], at=at)
    if looked:
        learn()
    many = [uuid7() for _ in range(200)]
    with gate(owner):
        assert "(id=?)" in Lead.objects.filter(pk__in=many).order_by("received_at").explain()
        assert "(id=?)" in Lead.objects.filter(pk__in=many, stage="nurturing").explain()
        assert "(lead_id=?)" in LeadKey.objects.filter(lead__in=many).explain()
        assert "(rowid=?)" in Effect.objects.filter(pk__in=range(200), state="due").explain()


@pytest.mark.once
@pytest.mark.parametrize("looked", [False, True])
def test_what_leads_did_is_found_by_the_leads(owner, gate, monkeypatch, looked):
    with gate(owner) as at:
        people = [Capture(kind="form", email=f"a{number}@b.example") for number in range(30)]
        leads = receive(owner.workspace, people, at=at)
        assert touches_of([leads[0].lead])
    if looked:
        # Whatever is looked at last, nothing that was seen of a small table may stay.
        monkeypatch.setattr(connection.introspection, "django_table_names", lambda **_: ["funnel_event"])
        learn()
    with gate(owner):
        plan = Event.objects.in_force().filter(lead__in=[uuid7() for _ in range(200)], kind__in=["form", "call"])
        assert "event_timeline (workspace_id=? AND lead_id=?)" in plan.explain()
