"""Fault 16: two sessions that take the same rows in opposite order; whichever the database ends, nothing is lost."""

from __future__ import annotations

import threading
import time

import psycopg2
import pytest
from django.db import connection

from funnel.handoff.models import Handoff
from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.outbox.models import Effect, Event, State
from funnel.scoring.models import ScorePoint
from tests.funnel.scoring.test_changing import sound

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
# The database looks for a circle when somebody has waited for a second: who waits first is the one it ends.
SOON, LATE = 0.0, 1.3


class Opposite(threading.Thread):
    """Another program's session: it holds one row, waits until somebody waits for that, and then wants another."""

    def __init__(self, workspace, held, wanted, after):
        super().__init__()
        self.after, self.ended, self.holds = after, None, threading.Event()
        self.held, self.wanted = (f"SELECT 1 FROM {table} WHERE id = '{pk}' FOR UPDATE" for table, pk in (held, wanted))
        options = connection.get_connection_params()
        self.wire = psycopg2.connect(
            **{name: options[name] for name in ("dbname", "user", "host", "port", "password") if name in options}
        )
        self.wire.cursor().execute("SELECT set_config('baton.workspace', %s, false)", [str(workspace.pk)])
        self.start()
        assert self.holds.wait(10)

    def run(self):
        cursor = self.wire.cursor()
        cursor.execute(self.held)
        self.holds.set()
        end = time.monotonic() + 20
        waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        while time.monotonic() < end:
            cursor.execute(waits)
            if cursor.fetchone():
                break
            time.sleep(0.02)
        time.sleep(self.after)
        try:
            cursor.execute(self.wanted)
            self.ended = "done"
        except psycopg2.errors.DeadlockDetected:
            self.ended = "ended"
        self.wire.rollback()
        self.wire.close()


@pytest.fixture
def leads(owner, rep, gate, work):
    """Two leads, the first of them handed over."""
    with gate(owner) as at:
        made = receive(owner.workspace, [Capture(email=f"a{n}@one.example", asks=n == 0) for n in range(2)], at=at)
    work()
    return sorted((one.lead for one in made), key=lambda lead: lead.pk)


@pytest.mark.parametrize(("after", "other"), [(SOON, "done"), (LATE, "ended")])
def test_a_worker_in_a_deadlock_does_its_work_all_the_same(leads, owner, gate, work, after, other):
    with gate(owner) as at:
        for lead in leads:
            touch(lead, "call", at=at)
    session = Opposite(owner.workspace, ("funnel_lead", leads[1].pk), ("funnel_lead", leads[0].pk), after)
    work()
    session.join(20)
    assert session.ended == other
    with gate(owner):
        assert set(Effect.objects.filter(handler="score").values_list("state", flat=True)) == {State.DONE}
        calls = list(Event.objects.filter(kind="call").values_list("pk", flat=True))
        assert sorted(ScorePoint.objects.filter(event__in=calls).values_list("event_id", flat=True)) == sorted(calls)
    sound()


@pytest.mark.parametrize(("table", "after", "other"), [
    ("handoff", SOON, "done"), ("handoff", LATE, "ended"), ("member", SOON, "done"), ("member", LATE, "ended"),
])  # fmt: skip
def test_a_request_in_a_deadlock_is_done_all_the_same_and_once(leads, rep, gate, api, table, after, other):
    with gate(rep):
        waiting = Handoff.objects.open().get()
    client, held = api(rep), {"handoff": waiting.pk, "member": rep.pk}[table]
    session = Opposite(rep.workspace, (f"funnel_{table}", held), ("funnel_lead", waiting.lead_id), after)
    answer = client.post(f"leads/{waiting.lead_id}/accept/")
    session.join(20)
    assert session.ended == other
    assert answer.status_code == 200
    with gate(rep):
        assert Lead.objects.get(pk=waiting.lead_id).holder_id == rep.pk
        assert Event.objects.filter(kind="handoff_accepted").count() == 1
        assert not Handoff.objects.open().exists()
    sound()
