"""Send one message, at most once: `sending` is committed before the server is asked, the result after."""

from __future__ import annotations

import smtplib
from datetime import datetime
from email.utils import make_msgid
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string
from django.utils import timezone

from funnel.mail.links import link_for
from funnel.mail.models import Message, MessageState
from funnel.outbox.drain import outside
from funnel.outbox.models import Effect, Event
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Workspace


class TryLater(Exception):
    """The server said "not now", or could not be reached before anything was handed to it."""


@outside
def send(effects: list[Effect], at: datetime) -> None:
    """Send the message of one `mail_queued` event.

    Raises TryLater where nothing left; what was handed over without an answer becomes `unknown` and is never sent
    again by itself.
    """
    (effect,) = effects
    with tenant(effect.workspace_id, write=True) as now:
        workspace = Workspace.objects.get(pk=effect.workspace_id)
        event = Event.objects.get(pk=effect.event_id)
        message = Message.objects.select_for_update().filter(pk=UUID(event.data["message"])).first()
        if message is None or not settings.EMAIL_URL:
            return
        if message.state == MessageState.SENDING:
            # Claimed a second time: the first run ended between the server's answer and its own note of it.
            _note(message, MessageState.UNKNOWN, "We don’t know whether it went.")
            return
        if message.state != MessageState.QUEUED:
            return
        message.state, message.attempts = MessageState.SENDING, message.attempts + 1
        message.save(update_fields=["state", "attempts"])
        mail = _mail(message, workspace)
    state, why = deliver(mail)
    with tenant(effect.workspace_id, write=True) as now:
        if state == MessageState.SENT:
            Message.objects.filter(pk=message.pk).update(state=state, sent_at=now, error="")
            Workspace.objects.filter(pk=workspace.pk, mail_proved_at=None).update(mail_proved_at=now)
            return
        later = state == MessageState.QUEUED
        if later and effect.attempts >= 5:
            state = MessageState.FAILED
        _note(message, state, why)
        if later:
            Workspace.objects.filter(pk=workspace.pk).update(mail_proved_at=None)
    if state == MessageState.QUEUED:
        raise TryLater(why)


def _note(message: Message, state: MessageState, why: str) -> None:
    message.state, message.error = state, why[:300]
    message.save(update_fields=["state", "error"])


def deliver(mail: EmailMultiAlternatives) -> tuple[MessageState, str]:
    """Hand a mail to the server; give what became of it: sent, queued (try later), failed or unknown, and why."""
    connection: Any = get_connection(fail_silently=False)
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        return MessageState.QUEUED, f"The mail server can’t be reached: {_words(error)}"
    try:
        connection.send_messages([mail])
    except smtplib.SMTPRecipientsRefused as error:
        code = max((answer[0] for answer in error.recipients.values()), default=550)
        return _refused(code, "The mail server refused this address")
    except smtplib.SMTPSenderRefused as error:
        return _refused(error.smtp_code, "The mail server refused our address")
    except smtplib.SMTPDataError as error:
        return _refused(error.smtp_code, "The mail server refused this mail")
    except (OSError, smtplib.SMTPException) as error:
        return MessageState.UNKNOWN, f"The mail server gave no answer: {_words(error)}"
    finally:
        try:
            connection.close()
        except (OSError, smtplib.SMTPException):
            pass
    return MessageState.SENT, ""


def _refused(code: int, words: str) -> tuple[MessageState, str]:
    state = MessageState.QUEUED if 400 <= code < 500 else MessageState.FAILED
    return state, f"{words} ({code})."


def _words(error: Exception) -> str:
    return (getattr(error, "strerror", None) or type(error).__name__) + "."


def body(message: Message, workspace: Workspace, *, with_link: bool) -> tuple[str, str]:
    """The text and the HTML of a message; without its link for somebody who only looks at the mailbox."""
    with timezone.override(workspace.zone):
        context = {
            **message.context,
            "business": workspace.name,
            "to": message.member,
            "link": link_for(message) if with_link else "",
            "subject": message.subject,
            "due": _moment(message.context.get("due")),
        }
        return (
            render_to_string(f"mail/{message.kind}.txt", context),
            render_to_string(f"mail/{message.kind}.html", context),
        )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _mail(message: Message, workspace: Workspace) -> EmailMultiAlternatives:
    text, html = body(message, workspace, with_link=True)
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ") or "localhost"
    mail = EmailMultiAlternatives(
        message.subject,
        text,
        settings.DEFAULT_FROM_EMAIL,
        [message.to_email],
        headers={"Message-ID": make_msgid(idstring=str(message.pk), domain=domain)},
    )
    mail.attach_alternative(html, "text/html")
    return mail


