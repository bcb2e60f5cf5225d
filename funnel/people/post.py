"""The business's own mail server, as its owner types it."""

from __future__ import annotations

import re
from email.utils import formataddr, parseaddr
from typing import Any

from django import forms

from funnel.leads.identity import Refused, clean_email
from funnel.mail.actions import plain
from funnel.mail.models import MailServer
from funnel.mail.servers import PORTS, only_business
from funnel.workspaces.models import Workspace

HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?")


class MailServerForm(forms.Form):
    """Host, port, security, user, password, and whom its mail is from."""

    host = forms.CharField(
        label="SMTP server",
        max_length=253,
        help_text="Your mail provider calls it “outgoing server”, like smtp.example.com.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    port = forms.IntegerField(label="Port", min_value=1, max_value=65535, initial=587)
    security = forms.ChoiceField(label="Security", choices=MailServer.Security.choices)
    user = forms.CharField(
        label="User name", max_length=254, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    password = forms.CharField(
        label="Password",
        max_length=500,
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    sender = forms.CharField(
        label="Mail is from", max_length=200, help_text="An address that this server sends for, like hello@example.com."
    )

    def __init__(self, *args: Any, workspace: Workspace, known: MailServer | None, **kwargs: Any) -> None:
        names = ("host", "port", "security", "user", "sender")
        kwargs["initial"] = {name: getattr(known, name) for name in names} if known else {"sender": ""}
        super().__init__(*args, **kwargs | {"auto_id": "mail-%s"})
        self.workspace = workspace
        if known is not None and known.sealed_password:
            self.fields["password"].help_text = "Kept, and never shown. Leave this empty to keep it."

    def clean_host(self) -> str:
        host = str(self.cleaned_data["host"]).strip().rstrip(".").lower()
        if not HOST.fullmatch(host):
            raise forms.ValidationError("Write the server’s name alone, like smtp.example.com.")
        return host

    def clean_sender(self) -> str:
        name, address = parseaddr(" ".join(self.cleaned_data["sender"].split()))
        try:
            address = clean_email(address)[0]
        except Refused as refused:
            raise forms.ValidationError(refused.errors["email"]) from None
        if not address:
            raise forms.ValidationError("Write an address like hello@example.com.")
        return formataddr((plain(name or self.workspace.name), address))

    def clean(self) -> dict[str, Any]:
        """Where others share the installation, only ports for mail and only encrypted passwords."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if only_business():
            return given
        if given.get("port") and given["port"] not in PORTS:
            self.add_error("port", f"Mail servers listen at {', '.join(map(str, PORTS[:-1]))} or {PORTS[-1]}.")
        if given.get("security") == MailServer.Security.NONE and given.get("password"):
            self.add_error("security", "A password is sent over an encrypted line only.")
        return given
