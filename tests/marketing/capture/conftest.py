"""A form of the business, and a visitor without a cookie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from funnel.workspaces.models import Member
from marketing.capture.actions import change_form
from marketing.capture.models import Form, Submission

TYPED = {"name": "Daniel Osei", "email": "daniel@osei.example", "phone": "01632 960111", "message": "Call me."}


@pytest.fixture
def form(owner: Member, gate: Any) -> Form:
    with gate(owner):
        return Form.objects.get()


@pytest.fixture
def set_form(owner: Member, gate: Any) -> Callable[..., Form]:
    """Change the form as its editor would."""

    def changed(form: Form, **changes: Any) -> Form:
        with gate(owner) as at:
            return change_form(form, changes, by=owner, at=at)

    return changed


@pytest.fixture
def visitor() -> Client:
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def submissions(owner: Member, gate: Any) -> Callable[[], list[Submission]]:
    """Everything that was kept, in order."""

    def kept() -> list[Submission]:
        with gate(owner):
            return list(Submission.objects.select_related("form", "event").order_by("received_at", "id"))

    return kept
