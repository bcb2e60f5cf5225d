"""Send one message, at most once: `sending` is committed before the server is asked, the result after."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from email.mime.nonmultipart import MIMENonMultipart
from email.utils import formataddr, make_msgid, parseaddr
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.module_loading import import_string

from funnel.mail.actions import first_name, plain
from funnel.mail.bulk import bulk_of, unsubscribing
from funnel.mail.files import File, files_of
from funnel.mail.links import is_secret, link_for
from funnel.mail.looks import BRAND, looks, outside_looks
from funnel.mail.models import Message, MessageState
from funnel.mail.servers import Server, connection_to, deadline, server_of
from funnel.outbox.drain import ATTEMPTS, outside
from funnel.outbox.models import Effect, Event
from funnel.workspaces.faces import face_of
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Workspace
from funnel.workspaces.outward import NotPublic

# "No such mailbox", "user not local" and "mailbox name not allowed" of RFC 5321.
NO_SUCH = (550, 551, 553)


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
        server = server_of(workspace)
        if message is None or server is None:
            return
        if message.state == MessageState.SENDING:
            # Claimed a second time: the first run ended between the server's answer and its own note of it. At the
            # first claim it is another duty for the same letter that is at it now.
            if effect.attempts > 1:
                _note(
                    message,
                    MessageState.UNKNOWN,
                    "Baton stopped while this was sent, so we don’t know whether it went.",
                )
            return
        if message.state != MessageState.QUEUED:
            return
        if why := why_not(message):
            _note(message, MessageState.FAILED, why)
            return
        message.state, message.attempts = MessageState.SENDING, message.attempts + 1
        message.save(update_fields=["state", "attempts"])
        mail = _mail(message, workspace, server)
    answer = deliver(mail, server, partial(_still, message))
    with tenant(effect.workspace_id, write=True) as now:
        if answer.state == MessageState.SENT:
            Message.objects.filter(pk=message.pk).update(state=answer.state, sent_at=now, error="")
            Workspace.objects.filter(pk=workspace.pk, mail_proved_at=None).update(mail_proved_at=now)
            return
        later = answer.state == MessageState.QUEUED
        last = effect.attempts >= ATTEMPTS
        _note(message, MessageState.FAILED if later and last else answer.state, answer.why)
        if answer.bounced and (bulk := bulk_of(message)) is not None:
            bulk.bounced(message, now)
        if not answer.reached:
            Workspace.objects.filter(pk=workspace.pk).update(mail_proved_at=None)
    if later and not last:
        raise TryLater(answer.why)


def why_not(message: Message) -> str:
    """Why a letter may not go any more, by settings.MAIL_WHY_NOT; blank where it may."""
    dotted = settings.MAIL_WHY_NOT.get(message.kind)
    return import_string(dotted)(message) if dotted else ""


def _still(message: Message) -> str:
    """The same, asked anew when the line is open."""
    with tenant(message.workspace_id):
        return why_not(message)


def _note(message: Message, state: MessageState, why: str) -> None:
    message.state, message.error = state, why[:300]
    message.save(update_fields=["state", "error"])


@dataclass(frozen=True)
class Answer:
    """What became of a mail: sent, queued (try later), failed or unknown; and whether the server was reached.

    `bounced` says that the address doesn't exist.
    """

    state: MessageState
    why: str = ""
    reached: bool = True
    bounced: bool = False


def deliver(mail: EmailMultiAlternatives, server: Server, forbids: Callable[[], str] = str) -> Answer:
    """Hand a mail to the server, and tell apart what surely didn't go from what may have gone.

    `forbids` says why it may not go any more. It is asked with the line open: a server may take its time until then.
    """
    if server.password is None:
        return Answer(MessageState.QUEUED, "The mail server’s password must be typed again.", reached=False)
    with deadline():
        return _deliver(mail, connection_to(server), forbids)


def _deliver(mail: EmailMultiAlternatives, connection: Any, forbids: Callable[[], str]) -> Answer:
    try:
        connection.open()
    except smtplib.SMTPAuthenticationError:
        return Answer(MessageState.QUEUED, "The mail server refused our user name and password.", reached=False)
    except NotPublic:
        return Answer(MessageState.QUEUED, "The mail server’s name leads into a private network.", reached=False)
    except (OSError, smtplib.SMTPException) as error:
        return Answer(MessageState.QUEUED, f"The mail server can’t be reached: {_unreached(error)}", reached=False)
    try:
        if why := forbids():
            return Answer(MessageState.FAILED, why)
        connection.send_messages([mail])
    except smtplib.SMTPRecipientsRefused as error:
        code, said = max(error.recipients.values(), default=(550, b""))
        return _refused(code, "The mail server refused this address", said)
    except smtplib.SMTPSenderRefused as error:
        return _refused(error.smtp_code, "The mail server refused our address")
    except smtplib.SMTPDataError as error:
        return _refused(error.smtp_code, "The mail server refused this mail", error.smtp_error)
    except ValueError:
        return Answer(MessageState.FAILED, "This address can’t be written on a mail.")
    except (OSError, smtplib.SMTPException):
        return Answer(MessageState.UNKNOWN, "The line broke while it was sent.")
    finally:
        with suppress(OSError, smtplib.SMTPException):
            connection.close()
    return Answer(MessageState.SENT)


def _refused(code: int, words: str, said: bytes | str = b"") -> Answer:
    state = MessageState.QUEUED if 400 <= code < 500 else MessageState.FAILED
    return Answer(state, f"{words} ({code}).", bounced=code in NO_SUCH and _says_nobody(said))


def _says_nobody(said: bytes | str) -> bool:
    """Whether a refusal is about the address: a server that adds a code of RFC 3463 may mean itself or the words."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    found = re.match(r"\s*5\.(\d+)\.(\d+)", text)
    return found is None or found[1] == "1" or found.groups() == ("2", "1")


def _unreached(error: Exception) -> str:
    """Why no line to the server came about, in words: its owner looks for what was typed wrong."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})."
    if isinstance(error, TimeoutError):
        return "it does not answer in time."
    if isinstance(error, smtplib.SMTPException | ssl.SSLError):
        return "something answers there, but not as a mail server with this port and security does."
    return (getattr(error, "strerror", None) or type(error).__name__) + "."


def text_of(message: Message, workspace: Workspace, *, hidden: bool = True) -> str:
    """The plain text of a letter; `hidden` for somebody who looks at the mailbox: no link that lets anybody in."""
    with timezone.override(_zone(message, workspace)):
        text = render_to_string(f"mail/{message.kind}.txt", _context(message, workspace, hidden=hidden))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def html_of(message: Message, workspace: Workspace) -> str:
    """The letter as a mail program shows it."""
    with timezone.override(_zone(message, workspace)):
        seen = outside_looks(workspace.brand or BRAND) if message.is_outside else looks()
        context = _context(message, workspace, hidden=False) | {"looks": seen}
        return render_to_string(f"mail/{message.kind}.html", context)


def _zone(message: Message, workspace: Workspace) -> ZoneInfo:
    """The clock of the letter: the reader's own where it is known, else the business's."""
    return ZoneInfo(message.context["zone"]) if message.context.get("zone") else workspace.zone


def _context(message: Message, workspace: Workspace, *, hidden: bool) -> dict[str, Any]:
    secret, bulk = is_secret(message), bulk_of(message)
    moments = {name: _moment(message.context.get(name)) for name in ("due", "began", "until", "starts", "ends", "on")}
    return {
        "business": workspace.name,
        "business_lines": face_of(workspace)["address"],
        **message.context,
        **moments,
        "leads": [
            one | {name: _moment(one.get(name)) for name in ("due", "began")}
            for one in message.context.get("leads", ())
        ],
        "site": settings.PUBLIC_URL,
        **(bulk.words(message, hidden) if bulk else {}),
        "to": message.member,
        "dear": _dear(message) if message.is_outside else "",
        "sender": message.sender,
        "to_email": message.to_email,
        "subject": message.subject,
        "hidden": hidden and secret,
        "link": "" if hidden and secret else link_for(message),
    }


def _dear(message: Message) -> str:
    """Whom a letter to somebody outside calls dear; blank where it says hello."""
    return first_name(message.lead.name) if message.lead else message.context.get("dear", "")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _mail(message: Message, workspace: Workspace, server: Server) -> EmailMultiAlternatives:
    text, html = text_of(message, workspace, hidden=False), html_of(message, workspace)
    address = parseaddr(server.sender)[1]
    domain = address.rpartition("@")[2] or "localhost"
    # Who is outside has never heard of Baton: the business writes, and the answer goes to the person who signed.
    outside = message.is_outside
    mail = EmailMultiAlternatives(
        message.subject,
        text,
        formataddr((plain(workspace.name), address)) if outside else server.sender,
        [message.to_email],
        reply_to=[formataddr((plain(message.sender.name), message.sender.email))] if message.sender else None,
        headers={
            "Message-ID": make_msgid(idstring=str(message.pk), domain=domain),
            **(unsubscribing(link_for(message)) if bulk_of(message) else {}),
        },
    )
    mail.attach_alternative(html, "text/html")
    for file in files_of(message):
        mail.attach(_attached(file))
    return mail


def _attached(file: File) -> MIMEBase:
    """A file as part of a mail, with the parameters of its type: calendars look at `method` there."""
    kind, *given = [part.strip() for part in file.type.split(";")]
    part = MIMENonMultipart(*kind.split("/", 1))
    for name, value in (one.split("=", 1) for one in given):
        part.set_param(name, value)
    part.set_payload(file.make())
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=file.name)
    return part
