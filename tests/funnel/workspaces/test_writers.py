"""On SQLite one writes at a time: who comes in by the door has their turn beside programs that write all the time."""

from __future__ import annotations

import threading
import time

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Workspace
from tests.conftest import PASSWORD

PROGRAMS, EACH = 4, 0.03


@pytest.fixture
def busy(transactional_db, owner, monkeypatch):
    """Programs that write for a whole business, one after the other without a pause."""
    if settings.SQLITE:
        # As long as a page waits.
        monkeypatch.setitem(settings.DATABASES["default"]["OPTIONS"], "timeout", 1.0)
        connection.close()
    done = threading.Event()

    def program():
        while not done.is_set():
            with tenant(owner.workspace_id, write=True):
                Workspace.objects.filter(pk=owner.workspace_id).update(name="Harbour Bikes")
                time.sleep(EACH)
        connection.close()

    programs = [threading.Thread(target=program) for _ in range(PROGRAMS)]
    for one in programs:
        one.start()
    time.sleep(EACH)
    yield
    done.set()
    for one in programs:
        one.join()
    connection.close()


def test_who_logs_in_beside_programs_that_write_all_the_time_comes_in(busy, owner):
    for _ in range(2):
        answer = Client().post("/accounts/login/", {"login": owner.email, "password": PASSWORD})
        assert (answer.status_code, answer.headers.get("Location")) == (302, "/")
