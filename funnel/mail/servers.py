"""By which server a business's mail leaves: its own, else the installation's EMAIL_URL.

A business types its own server on its page. Where several businesses share an installation, such a server must be on
the public Internet and at a port for mail: else a stranger who signs up could make Baton knock at doors of the network
that it stands in. Where there is only one business its owner runs the installation too, so a server in the office, at
whatever port, is theirs to choose; it stays so when others sign up later, or any of them could end its mail. EMAIL_URL
is set by whoever runs the installation and is never questioned.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.db import transaction

from funnel.mail.models import MailServer
from funnel.workspaces.models import AuditEntry, Member, Workspace
from funnel.workspaces.outward import connect
from funnel.workspaces.sealing import seal, unseal

PORTS = (25, 465, 587, 2525)
PURPOSE = "mail server"
# Where an instance of a workspace keeps whether it has a server of its own.
OWN = "has_own_server"
# A server that answers a byte a second keeps every single wait short and would still hold the worker for hours.
DEADLINE = 40.0


@dataclass(frozen=True)
class Server:
    """A server to hand mail to; the installation's own has no `host`."""

    sender: str
    host: str = ""
    port: int = 0
    security: str = ""
    user: str = ""
    password: str | None = field(default="", repr=False)
    anywhere: bool = False


def only_business() -> bool:
    """Whether a single business uses this installation, the demo aside."""
    return Workspace.objects.filter(is_demo=False)[:2].count() < 2


def _chosen_alone(server: MailServer) -> bool:
    """Whether a business chose its server when no other was there, the demo aside."""
    before = Workspace.objects.filter(is_demo=False, created_at__lt=server.set_at).exclude(pk=server.workspace_id)
    return not before.exists()


def has_server(workspace: Workspace) -> bool:
    """Whether there is a server that mail of this business could go to; a demo business never mails.

    It is asked once for this instance of the workspace, whichever parts of a page want to know.
    """
    if workspace.is_demo:
        return False
    known = workspace.__dict__
    if not settings.EMAIL_URL and OWN not in known:
        known[OWN] = MailServer.objects.filter(workspace=workspace).exists()
    return bool(settings.EMAIL_URL) or known[OWN]


def server_of(workspace: Workspace) -> Server | None:
    """The server that takes this business's mail; None without one."""
    if workspace.is_demo:
        return None
    own = MailServer.objects.filter(workspace=workspace).first()
    if own is not None:
        return Server(
            sender=own.sender,
            host=own.host,
            port=own.port,
            security=own.security,
            user=own.user,
            password=unseal(own.sealed_password, PURPOSE) if own.sealed_password else "",
            anywhere=_chosen_alone(own),
        )
    return Server(sender=settings.DEFAULT_FROM_EMAIL) if settings.EMAIL_URL else None


def sender_of(workspace: Workspace) -> str:
    """Who this business's letters come from, whether there is a server yet or not."""
    own = MailServer.objects.filter(workspace=workspace).values_list("sender", flat=True).first()
    return own or settings.DEFAULT_FROM_EMAIL


@transaction.atomic
def set_server(workspace: Workspace, values: dict[str, Any], *, by: Member, at: datetime) -> MailServer:
    """Let a business mail by a server of its own; a blank password keeps the one that was typed before.

    Until it has taken a letter it doesn't count as proved.
    """
    was = MailServer.objects.filter(workspace=workspace).first()
    password = values.pop("password", "")
    same = was is not None and (was.host, was.user) == (values["host"], values["user"])
    # A password goes to nobody but the server that it was typed for.
    sealed = seal(password, PURPOSE) if password else was.sealed_password if was is not None and same else ""
    server, _ = MailServer.objects.update_or_create(
        workspace=workspace, defaults=values | {"sealed_password": sealed, "set_at": at}
    )
    _unproved(workspace, "mail server set", str(server), by=by, at=at)
    return server


@transaction.atomic
def remove_server(workspace: Workspace, *, by: Member, at: datetime) -> None:
    """Go back to the installation's server, or to the local mailbox."""
    server = MailServer.objects.filter(workspace=workspace).first()
    if server is not None:
        server.delete()
        _unproved(workspace, "mail server removed", str(server), by=by, at=at)


def _unproved(workspace: Workspace, action: str, target: str, *, by: Member, at: datetime) -> None:
    workspace.__dict__.pop(OWN, None)
    workspace.mail_proved_at = None
    workspace.save(update_fields=["mail_proved_at"])
    AuditEntry.objects.create(workspace=workspace, at=at, actor=by, action=action, target=target[:120])


# ── the line to it ───────────────────────────────────────────────────────

_opened: ContextVar[list[smtplib.SMTP] | None] = ContextVar("opened", default=None)


def _note(line: smtplib.SMTP) -> None:
    """Let `deadline` know of a line, before its server has said a word."""
    opened = _opened.get()
    if opened is not None:
        opened.append(line)


class _Line(smtplib.SMTP):
    """SMTP that can be cut from outside."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        _note(self)
        return super()._get_socket(host, port, timeout)  # type: ignore[misc]


class _TLSLine(smtplib.SMTP_SSL):
    """The same, in TLS from the first byte."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        _note(self)
        return super()._get_socket(host, port, timeout)  # type: ignore[misc]


class _PublicLine(smtplib.SMTP):
    """SMTP to public addresses only."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        _note(self)
        return connect(host, port, timeout)


class _PublicTLSLine(smtplib.SMTP_SSL):
    """The same, in TLS from the first byte."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        _note(self)
        context: ssl.SSLContext = self.context
        return context.wrap_socket(connect(host, port, timeout), server_hostname=host)


class _Backend(EmailBackend):
    """Django's own way to send, over one of our lines."""

    public = False

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        if self.public:
            return _PublicTLSLine if self.use_ssl else _PublicLine
        return _TLSLine if self.use_ssl else _Line


class _PublicBackend(_Backend):
    public = True


def connection_to(server: Server) -> Any:
    """A connection to the server, not open yet."""
    if not server.host:
        smtp = settings.EMAIL_BACKEND == "django.core.mail.backends.smtp.EmailBackend"
        return _Backend(fail_silently=False) if smtp else get_connection(fail_silently=False)
    backend = _Backend if server.anywhere else _PublicBackend
    return backend(
        host=server.host,
        port=server.port,
        username=server.user,
        password=server.password or "",
        use_tls=server.security == MailServer.Security.STARTTLS,
        use_ssl=server.security == MailServer.Security.TLS,
        fail_silently=False,
        timeout=settings.EMAIL_TIMEOUT,
    )


@contextmanager
def deadline(seconds: float | None = None) -> Iterator[None]:
    """Cut the lines that are opened inside when the whole conversation lasts too long."""
    lines: list[smtplib.SMTP] = []

    def cut() -> None:
        for line in lines:
            with suppress(OSError):
                if (wire := getattr(line, "sock", None)) is not None:
                    wire.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(DEADLINE if seconds is None else seconds, cut)
    watch.daemon = True
    before = _opened.set(lines)
    watch.start()
    try:
        yield
    finally:
        watch.cancel()
        _opened.reset(before)
