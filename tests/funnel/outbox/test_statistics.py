"""SQLite is told how its tables are filled, and is not misled by columns that are mostly empty."""

import pytest
from django.db import connection

from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.outbox.models import Event
from funnel.outbox.tasks import learn


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
