"""The forms a business starts with, and what happens to what was sent in."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.db import transaction

from funnel.workspaces.models import PublicDoor, Workspace
from marketing.capture.models import Form

CONTACT = [
    {"name": "name", "label": "Your name", "required": True},
    {"name": "email", "label": "E-mail", "required": True},
    {"name": "phone", "label": "Phone", "required": False},
    {"name": "company", "label": "Company", "required": False},
    {"name": "message", "label": "How can we help?", "required": False},
]


def new_token() -> str:
    """A public address that can't be guessed: 128 random bits."""
    return secrets.token_urlsafe(16)


@transaction.atomic
def start(workspace: Workspace, *, at: datetime) -> None:
    """Give a new business its ready "Contact us" form."""
    open_form(
        Form(
            workspace=workspace,
            name="Contact us",
            title="Contact us",
            intro="Tell us what you need. We will answer within one working day.",
            fields=CONTACT,
            consent_text=f"{workspace.name} may also send me news and offers by e-mail. I can stop this at any time.",
            thanks="Thank you. One of us will be in touch within one working day.",
            created_at=at,
        )
    )


@transaction.atomic
def open_form(form: Form) -> Form:
    """Save a new form and give it its public door."""
    form.token = new_token()
    form.save(force_insert=True)
    PublicDoor.objects.create(workspace_id=form.workspace_id, digest=PublicDoor.digest_of(form.token))
    return form
