"""Thirty captures of one person at the same moment end in one lead."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from funnel.leads.models import Lead
from funnel.outbox.models import Event
from marketing.capture.models import Form

from .conftest import TYPED

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 30


def test_thirty_captures_of_one_person_at_once_end_in_one_lead(
    form: Form, submissions: Any, owner: Any, gate: Any, work: Any
) -> None:
    barrier, answers = threading.Barrier(MANY), []

    def send() -> None:
        barrier.wait()
        try:
            answers.append(Client().post(form.path, TYPED).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(MANY)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert answers == [303] * MANY
    assert len(submissions()) == MANY
    drainers = [threading.Thread(target=lambda: (work(), connections.close_all())) for _ in range(2)]
    for one in drainers:
        one.start()
    for one in drainers:
        one.join()
    work()
    with gate(owner):
        assert Lead.objects.count() == 1
        assert Event.objects.filter(kind="form").count() == MANY
