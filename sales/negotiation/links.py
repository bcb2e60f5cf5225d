"""The public address of a version: made whenever it is needed, never kept."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.urls import reverse

from funnel.mail.models import Message
from funnel.workspaces.doors import token_for
from sales.negotiation.models import QuoteVersion, State

PURPOSE = "quote"
OVER = "Not sent: the quote is not open any more."


def token_of(version: QuoteVersion) -> str:
    """The token of the version's page."""
    return token_for(PURPOSE, version.pk)


def path_of(version: QuoteVersion) -> str:
    """The path of the version's page; blank before it was sent."""
    return reverse("public-quote", args=[token_of(version)]) if version.state != State.DRAFT else ""


def url_of(version: QuoteVersion) -> str:
    """The full address that is passed on to the lead."""
    path = path_of(version)
    return settings.PUBLIC_URL + path if path else ""


def mailed(message: Message) -> str:
    """The path that a letter about a quote opens; MAIL_LINKS."""
    version = QuoteVersion.objects.filter(pk=UUID(message.context["version"])).first()
    return path_of(version) if version else ""


def why_not(message: Message) -> str:
    """Why a quote's letter may not go any more, as its page could not be answered; settings.MAIL_WHY_NOT."""
    version = QuoteVersion.objects.filter(pk=UUID(message.context["version"])).select_related("quote__deal").first()
    return "" if version and version.state == State.SENT and not version.is_closed else OVER
