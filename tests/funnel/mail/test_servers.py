"""A business's own mail server: typed by its owner, sealed, tried, and never a way into somebody's network."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from datetime import timedelta

import pytest
from django.core import serializers
from django.urls import reverse
from django.utils import timezone

from funnel.mail import servers
from funnel.mail.actions import is_sent
from funnel.mail.models import MailServer, Message
from funnel.mail.servers import Server, connection_to
from funnel.workspaces import outward
from funnel.workspaces.models import AuditEntry, Workspace

pytestmark = pytest.mark.django_db
SECRET = "hunter2-and-more"


@pytest.fixture
def typed(sink, settings):
    """What an owner types for the server of these tests, which is not the installation's."""
    port = settings.EMAIL_PORT
    settings.EMAIL_URL = ""
    settings.EMAIL_PORT = 1
    return {
        "host": "127.0.0.1", "port": str(port), "security": "none", "user": "", "password": "",
        "sender": "Hello <hello@first.example>",
    }  # fmt: skip


@pytest.fixture
def works(owner, gate):
    """Say whether the owner's mail leaves."""

    def said():
        with gate(owner):
            return is_sent(Workspace.objects.get(pk=owner.workspace_id))

    return said


def test_what_the_owner_typed_is_tried_at_once_and_proves_that_mail_works(owner, typed, sink, browse, work, works):
    client = browse(owner)
    assert client.post(reverse("mail-server"), typed).status_code == 302
    assert not works()
    work()
    ((to, mail),) = sink.taken
    assert (to, mail["From"]) == ([owner.email], "Hello <hello@first.example>")
    assert works()
    assert "Works" in client.get(reverse("business")).content.decode()
    client.post(reverse("mail-server"), {"do": "remove"})
    assert not works()
    client.post(reverse("mail-test"))
    work()
    assert len(sink.taken) == 1


def test_the_demo_business_never_mails_and_says_so_where_mail_is_set_up_and_read(
    owner, typed, sink, browse, gate, work, settings
):
    Workspace.objects.filter(pk=owner.workspace_id).update(is_demo=True)
    settings.EMAIL_PORT, settings.EMAIL_URL = int(typed["port"]), "smtp://127.0.0.1"
    client = browse(owner)
    page = client.get(reverse("business")).content.decode()
    assert "Mail is set up in a business of your own." in page
    assert reverse("mail-server") not in page
    refused = client.post(reverse("mail-server"), typed, follow=True).content.decode()
    assert "The demo business never mails, so nothing was saved." in refused
    client.post(reverse("mail-test"))
    work()
    assert sink.taken == []
    box = client.get(reverse("mailbox")).content.decode()
    assert "Kept here, because the demo business never mails." in box
    for said in (box, client.get(reverse("business")).content.decode()):
        assert '<span class="state">Kept here</span>' in said
    assert "Send now" not in box
    assert "Set up mail" not in box
    with gate(owner):
        assert not MailServer.objects.exists()


def test_the_password_is_sealed_kept_and_never_shown_or_logged(owner, typed, browse, gate, work, caplog):
    caplog.set_level(logging.DEBUG)
    client = browse(owner)
    client.post(reverse("mail-server"), typed | {"user": "me", "password": SECRET})
    with gate(owner):
        kept = serializers.serialize("json", [*MailServer.objects.all(), *AuditEntry.objects.all()])
        assert SECRET not in kept
        assert servers.server_of(owner.workspace).password == SECRET
        assert SECRET not in repr(servers.server_of(owner.workspace))
    assert SECRET not in client.get(reverse("business")).content.decode()
    wrong = client.post(reverse("mail-server"), typed | {"user": "me", "password": SECRET, "sender": "nobody"})
    assert wrong.status_code == 422
    assert SECRET not in wrong.content.decode()
    work()
    assert SECRET not in caplog.text
    client.post(reverse("mail-server"), typed | {"user": "me", "port": "2525"})
    with gate(owner):
        assert servers.server_of(owner.workspace).password == SECRET
    client.post(reverse("mail-server"), typed | {"user": "me", "host": "mail.elsewhere.example"})
    with gate(owner):
        assert servers.server_of(owner.workspace).password == "", "it goes to nobody but whom it was typed for"


def test_another_key_of_the_installation_asks_for_the_password_again(owner, typed, browse, gate, work, settings, sink):
    browse(owner).post(reverse("mail-server"), typed | {"user": "me", "password": SECRET})
    settings.SECRET_KEY = "another-key-than-before-and-long-enough"
    work()
    assert not sink.taken
    with gate(owner):
        assert "typed again" in Message.objects.get().error


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": ""},
        {"host": "http://mail.example"},
        {"host": "mail example"},
        {"port": "0"},
        {"port": "70000"},
        {"security": "magic"},
        {"sender": ""},
        {"sender": "nobody"},
    ],
)
def test_a_server_that_makes_no_sense_is_not_kept(owner, typed, browse, gate, wrong):
    answer = browse(owner).post(reverse("mail-server"), typed | wrong)
    assert answer.status_code == 422, answer.content
    with gate(owner):
        assert not MailServer.objects.exists()


def test_beside_other_businesses_only_ports_for_mail_on_the_public_internet(
    owner, outsider, typed, browse, work, sink, gate
):
    client = browse(owner)
    assert client.post(reverse("mail-server"), typed).status_code == 422
    assert client.post(reverse("mail-server"), typed | {"port": "25", "password": SECRET}).status_code == 422
    with gate(owner) as at:
        values = {name: value for name, value in typed.items() if name != "password"}
        servers.set_server(owner.workspace, values | {"port": int(typed["port"])}, by=owner, at=at)
    client.post(reverse("mail-test"))
    work()
    assert not sink.taken
    with gate(owner):
        assert "private network" in Message.objects.get().error


def test_a_server_in_the_office_goes_on_when_another_business_signs_up(owner, typed, browse, work, sink, request):
    client = browse(owner)
    client.post(reverse("mail-server"), typed)
    work()
    request.getfixturevalue("outsider")
    client.post(reverse("mail-test"))
    work()
    assert len(sink.taken) == 2
    assert client.post(reverse("mail-server"), typed).status_code == 422, "a new choice is made beside others"


@pytest.mark.once
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "ff02::1",
        "255.255.255.255", "::7f00:1",
    ],
)  # fmt: skip
def test_no_address_inside_a_network_counts_as_public(address, monkeypatch):
    assert not outward.is_public(address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(family, socket.SOCK_STREAM, 6, "", (address, 25))])
    for security in MailServer.Security.values:
        server = Server(sender="a@b.example", host="mail.example", port=25, security=security)
        with pytest.raises(outward.NotPublic):
            connection_to(server).open()


@pytest.mark.once
@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_an_address_of_the_internet_does(address):
    assert outward.is_public(address)


class Drip:
    """A server that says a letter a second and never comes to an end."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        try:
            wire, _ = self.listener.accept()
            with wire:
                wire.sendall(b"220-")
                for _ in range(600):
                    time.sleep(0.1)
                    wire.sendall(b"x")
        except OSError:
            return


def test_a_server_that_drips_is_left_after_the_deadline(owner, sink, letter, work, settings, monkeypatch, gate):
    """Fault 21: every single wait stays short, so only the whole can be too long."""
    drip = Drip()
    settings.EMAIL_PORT = drip.port
    monkeypatch.setattr(servers, "DEADLINE", 0.8)
    one = letter(owner)
    started = time.monotonic()
    work()
    assert time.monotonic() - started < 5
    with gate(owner):
        one.refresh_from_db()
    assert (one.state, "can’t be reached" in one.error) == ("queued", True)
    drip.listener.close()


def test_a_server_that_greets_with_421_is_asked_again(owner, sink, letter, work, settings, gate):
    port = settings.EMAIL_PORT
    listener = socket.create_server(("127.0.0.1", 0))
    settings.EMAIL_PORT = listener.getsockname()[1]

    def busy():
        wire, _ = listener.accept()
        with wire:
            wire.sendall(b"421 too many of you\r\n")
            wire.recv(100)

    thread = threading.Thread(target=busy, daemon=True)
    thread.start()
    one = letter(owner)
    work()
    thread.join(5)
    listener.close()
    with gate(owner):
        one.refresh_from_db()
        assert one.state == "queued"
    settings.EMAIL_PORT = port
    work(timezone.now() + timedelta(hours=1))
    with gate(owner):
        one.refresh_from_db()
        assert one.state == "sent"
    assert len(sink.taken) == 1


class Elsewhere(Drip):
    """What answers at a port that was typed wrong: a web server."""

    def run(self) -> None:
        with contextlib.suppress(OSError):
            wire, _ = self.listener.accept()
            with wire:
                wire.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")


@pytest.mark.parametrize("security", MailServer.Security.values)
def test_a_port_where_no_mail_server_answers_is_said_in_words(security, owner, typed, browse, work, gate):
    elsewhere = Elsewhere()
    body = typed | {"port": str(elsewhere.port), "security": security}
    browse(owner).post(reverse("mail-server"), body)
    work()
    with gate(owner):
        says = Message.objects.get(kind="test").error
    assert says == (
        "The mail server can’t be reached: something answers there, but not as a mail server with this port and "
        "security does."
    )
    elsewhere.listener.close()
