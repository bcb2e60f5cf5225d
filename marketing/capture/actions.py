"""The forms a business starts with, and what happens to what was sent in."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from funnel.outbox.actions import record
from funnel.workspaces.inserting import insert
from funnel.workspaces.models import AuditEntry, Member, PublicDoor, Workspace
from funnel.workspaces.refusals import Refusal
from marketing.capture.models import Form, Submission

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


def consent_text(workspace: Workspace) -> str:
    """The words that a form begins with."""
    return f"{workspace.name} may also send me news and offers by e-mail. I can stop this at any time."


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
            consent_text=consent_text(workspace),
            thanks="One of us will be in touch within one working day.",
            created_at=at,
        )
    )


@transaction.atomic
def open_form(form: Form, *, by: Member | None = None) -> Form:
    """Save a new form and give it its public door."""
    form.token = new_token()
    form.save(force_insert=True)
    PublicDoor.objects.create(workspace_id=form.workspace_id, digest=PublicDoor.digest_of(form.token))
    _audit("form opened", form, by=by, at=form.created_at)
    return form


# What of a form its editor may change.
EDITABLE = (
    "name", "title", "intro", "purpose", "campaign", "fields", "interests", "consent_text", "button", "thanks",
    "at_once", "origins", "is_open", "file_name", "file_key",
)  # fmt: skip


@transaction.atomic
def change_form(form: Form, changes: dict[str, Any], *, by: Member, at: datetime) -> Form:
    """Change a form, and keep what it was; nothing is written where nothing differs."""
    was = {name: getattr(form, name) for name in EDITABLE if name in changes and getattr(form, name) != changes[name]}
    if not was:
        return form
    for name in was:
        setattr(form, name, changes[name])
    form.save(update_fields=list(was))
    _audit("form changed", form, by=by, at=at, was={name: _plain(value) for name, value in was.items()})
    return form


def send_in(form: Form, typed: dict[str, str], *, origin: dict[str, Any], flags: list[str], at: datetime) -> Submission:
    """Keep what somebody sent. With flags it waits for a person; else the worker makes a lead of it.

    Called inside the door's transaction and opens none of its own: this is the busiest write.
    """
    submission = Submission(
        workspace_id=form.workspace_id,
        form_id=form.pk,
        typed=typed,
        origin=origin,
        flags=flags,
        quarantined=bool(flags),
        received_at=at,
    )
    if flags:
        insert(submission)
    else:
        record(form.workspace_id, "submitted", at=at, data={"form": str(form.pk)}, along=submission)
    return submission


class NotHeld(Refusal):
    """Somebody has released it already."""


@transaction.atomic
def release(submission: Submission, *, by: Member, at: datetime, corrected: Mapping[str, str] | None = None) -> None:
    """Let the worker take what was held back, with the time at which it was sent; raise NotHeld.

    `corrected` are answers that were mistyped; which ones is kept in the log, not what stood there.
    """
    typed = submission.typed
    better = {name: said for name, said in (corrected or {}).items() if said != typed.get(name, "")}
    freed = Submission.objects.held().filter(pk=submission.pk)
    freed = freed.update(quarantined=False, released_at=at, refused={}, typed=typed | better)
    if not freed:
        raise NotHeld("This has been let through already.")
    event = record(submission.workspace_id, "submitted", at=at, occurred_at=submission.received_at, actor=by)
    Submission.objects.filter(pk=submission.pk).update(event=event)
    _audit("submission released", submission.form, by=by, at=at, submission=str(submission.pk), corrected=[*better])


def _audit(action: str, form: Form, *, by: Member | None, at: datetime, **data: Any) -> None:
    AuditEntry.objects.create(
        workspace_id=form.workspace_id,
        at=at,
        actor=by,
        action=action,
        target=form.name,
        data={"form": str(form.pk), **data},
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | list | dict | None) else str(getattr(value, "pk", value))
