"""A real SMTP server that behaves as it is told."""

from __future__ import annotations

import socket
import struct
import threading
from email import message_from_bytes

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from funnel.mail import actions as mail
from funnel.mail import sending
from funnel.mail.models import Message


class Sink:
    """Keeps what it takes; `answers` are given to DATA in turn, then "250 OK" again."""

    def __init__(self) -> None:
        self.taken = []
        self.answers = []
        self.recipients = []
        self.release = threading.Event()

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 (aiosmtpd names it)
        answer = self.recipients.pop(0) if self.recipients else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 (aiosmtpd names it)
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250") or answer in ("hang", "reset"):
            self.taken.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        if answer == "hang":
            await server.loop.run_in_executor(None, self.release.wait, 10)
            return "250 OK"
        if answer == "reset":
            wire = server.transport.get_extra_info("socket")
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            server.transport.abort()
            return "250 OK"
        return answer


class Server(Controller):
    def factory(self):
        return SMTP(self.handler, enable_SMTPUTF8=True)


@pytest.fixture
def sink(settings):
    """A server on a free port, set as ours."""
    handler = Sink()
    with socket.socket() as wire:
        wire.bind(("127.0.0.1", 0))
        port = wire.getsockname()[1]
    server = Server(handler, hostname="127.0.0.1", port=port)
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_URL = f"smtp://127.0.0.1:{port}"
    settings.EMAIL_TIMEOUT = 1
    yield handler
    handler.release.set()
    server.stop()


@pytest.fixture
def on_the_line(monkeypatch):
    """Do something just before each line to the server does a step: it opens, or the mail is handed over."""

    def doing(step, what):
        def connection(server, make=sending.connection_to):
            line = make(server)
            does = getattr(line, step)
            setattr(line, step, lambda *given: (what(), does(*given))[1])
            return line

        monkeypatch.setattr(sending, "connection_to", connection)

    return doing


@pytest.fixture
def letter(gate):
    """Queue a test letter to the member."""

    def queued(member, **context) -> Message:
        with gate(member) as at:
            return mail.queue("test", to=member, event=None, at=at, context={"path": "/", **context})

    return queued
