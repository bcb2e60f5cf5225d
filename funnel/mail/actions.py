"""Put a message into the post, and say whether the post works."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from funnel.leads.models import Lead
from funnel.mail.models import Message, MessageState
from funnel.mail.servers import has_server
from funnel.outbox.actions import record
from funnel.outbox.models import Event
from funnel.workspaces.models import Member, Workspace

NOT_SENT, NOT_TRIED = "Mail is not being sent", "Mail is not tried yet"
SUBJECTS = {
    "handoff": "New lead {where}: {lead}",
    "handoff-reminder": "Still waiting for you: {lead}",
    "handoff-late": "Late: {lead} waits for {waits_for}",
    **{f"{kind}-several": "{head}" for kind in ("handoff", "handoff-reminder", "handoff-late")},
    "invitation": "{inviter} invites you to {business}",
    "password": "Your link to choose a new password",
    "test": "A test mail from Baton",
    "task": "Due: {what}, {lead}",
    "weekly": "{head}",
    "passed-on": "With you now: {lead}",
    "passed-several": "{head}",
    "gone-on": "{head}",
    "asked-again": "{lead} asks to be contacted again",
    "demo-booked": "{meeting}: {when}",
    "demo-moved": "Moved: {meeting}, now {when}",
    "demo-cancelled": "Cancelled: {meeting}, {when}",
    "demo-reminder": "Reminder: {meeting}, {when}",
    "demo-missed": "We missed you: {meeting}",
    "demo-rep": "{head}: {lead}, {when}",
    "demo-rep-reminder": "Coming up: {lead}, {when}",
    "quote": "Your quote {name}: {title}",
    "quote-accepted": "Accepted: {title}",
    "nurture": "{subject}",
    "nurture-test": "[Test] {subject}",
    "marketing-answered": "Marketing answers: {lead}",
    "quote-told": "{says}: {quote}, {lead}",
}

LONGEST_NAME = 80


@transaction.atomic
def queue(
    kind: str,
    *,
    to: Member | None = None,
    to_lead: Lead | None = None,
    by: Member | None = None,
    address: str = "",
    event: Event | None,
    at: datetime,
    context: dict[str, Any],
    workspace_id: UUID | None = None,
    lead_id: UUID | None = None,
) -> Message | None:
    """Queue one message to a member, an address or a lead; None where this event has queued it already, or the lead
    has no e-mail address.

    To a lead it goes in the business's name; `by` signs it and gets the answer, and its template extends
    mail/outside.html. What the context holds is kept, so a link that lets somebody in must not be in it: it is made
    when the mail goes, by settings.MAIL_LINKS, as files are by settings.MAIL_FILES.
    """
    if to_lead is not None:
        workspace_id, lead_id, address = to_lead.workspace_id, to_lead.pk, address or to_lead.email
        if not address:
            return None
    workspace_id = workspace_id or (to.workspace_id if to else event.workspace_id if event else None)
    if workspace_id is None:
        raise ValueError("A letter belongs to a workspace.")
    email = address or (to.email if to else "")
    subject = " ".join(SUBJECTS[kind].format_map(_Blank(context)).split())[:200]
    values: dict[str, Any] = {
        "lead_id": lead_id, "member": to, "sender": by, "subject": plain(subject), "context": context,
        "created_at": at,
    }  # fmt: skip
    one = {"workspace_id": workspace_id, "event": event, "kind": kind, "to_email": email}
    if event is None:
        # Asked for by a person, who may ask twice.
        message = Message.objects.create(**one, **values)
    else:
        message, made = Message.objects.get_or_create(**one, defaults=values)
        if not made:
            return None
    record(workspace_id, "mail_queued", at=at, lead_id=lead_id, data={"message": str(message.pk), "kind": kind})
    return message


def take_back(kind: str, *, lead_ids: Collection[UUID], why: str, **about: str) -> None:
    """Keep the leads' letters of this kind that still wait from going; `about` is what their context must say."""
    asked = {f"context__{name}": value for name, value in about.items()}
    waiting = Message.objects.filter(lead__in=lead_ids, kind=kind, state=MessageState.QUEUED, **asked)
    waiting.update(state=MessageState.FAILED, error=why)


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


def plain(text: str) -> str:
    """A subject or a name without direction marks and control signs, which could dress it up as another."""
    return "".join(
        sign
        for sign in text
        if sign.isprintable() and not "\u202a" <= sign <= "\u202e" and not "\u2066" <= sign <= "\u2069"
    )


def first_name(name: str) -> str:
    """What a letter calls somebody outside; blank without a name, or for a field that another program left unfilled."""
    first = "" if "{{" in name or "}}" in name else next(iter(name.split()), "")
    return plain(first)[:LONGEST_NAME]


def is_sent(workspace: Workspace) -> bool:
    """Whether mail leaves: a mail server is set and has taken a message of this workspace."""
    return workspace.mail_proved_at is not None and has_server(workspace)


def why_none(workspace: Workspace) -> str:
    """Why no mail leaves, in a few words; blank where it does."""
    if not has_server(workspace):
        return NOT_SENT
    return "" if workspace.mail_proved_at is not None else NOT_TRIED


@transaction.atomic
def send_again(message: Message, *, by: Member, at: datetime) -> bool:
    """A person says that a message that waits, failed or is in doubt shall go; False when it is on its way."""
    freed = Message.objects.filter(
        pk=message.pk, state__in=[MessageState.QUEUED, MessageState.FAILED, MessageState.UNKNOWN]
    ).update(state=MessageState.QUEUED, error="")
    if freed:
        record(
            message.workspace_id, "mail_queued", at=at, lead_id=message.lead_id, actor=by,
            data={"message": str(message.pk), "kind": message.kind, "again": True},
        )  # fmt: skip
    return bool(freed)
