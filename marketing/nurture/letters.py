"""A nurture mail as it goes: its words with links that are made at that moment, and whether it may go at all."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.signing import Signer
from django.utils.crypto import constant_time_compare
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from funnel.leads.models import Lead
from funnel.leads.suppressing import digest_of
from funnel.mail.bulk import Bulk
from funnel.mail.models import Message
from funnel.workspaces.doors import token_for
from marketing.nurture import actions as nurture
from marketing.nurture.models import EnrollmentState, Letter, Stop

SIGNED = 16


def _letter(message: Message) -> Letter | None:
    """The letter that a message carries."""
    try:
        pk = UUID(str(message.context.get("letter")))
    except ValueError:
        return None
    found: Letter | None = Letter.objects.filter(pk=pk).select_related("enrollment", "step__sequence").first()
    return found


def link(message: Message) -> str:
    """Where somebody says that they want no more of these mails: settings.MAIL_LINKS."""
    letter = _letter(message)
    return f"/u/{token_for(nurture.DOOR, letter.enrollment_id)}/" if letter else ""


def signature(token: str, position: int, place: int) -> str:
    """What proves that a tracked link is ours: it names a mail and one of the links that were in it."""
    return Signer(salt=f"nurture link {token}").signature(f"{position}.{place}")[:SIGNED]


def is_ours(token: str, position: int, place: int, signed: str) -> bool:
    """Whether a tracked link is as it was sent."""
    return constant_time_compare(signed, signature(token, position, place))


def _tracked(letter: Letter) -> list[str]:
    token = token_for(nurture.DOOR, letter.enrollment_id)
    return [
        f"{settings.PUBLIC_URL}/u/{token}/{letter.position}.{place}.{signature(token, letter.position, place)}/"
        for place in range(len(letter.links))
    ]


def words(message: Message, hidden: bool) -> dict[str, Any]:
    """The mail's words as text and as HTML; for somebody who looks at the mailbox its links lead straight there."""
    letter = _letter(message)
    addresses = _tracked(letter) if letter and not hidden else None
    text, html, place = "", SafeString(), 0
    for kind, words in message.context.get("pieces", ()):
        if kind == "link":
            href = addresses[place] if addresses else words
            place += 1
            text += href
            html += format_html('<a href="{}">{}</a>', href, words)
        else:
            text += words
            html += format_html("{}", words)
    paragraphs = [mark_safe(one.replace("\n", "<br>")) for one in html.split("\n\n") if one]  # noqa: S308
    return {"words": text, "paragraphs": paragraphs}


def why_not(message: Message) -> str:
    """Why a nurture mail may not go now; blank where it may; settings.MAIL_WHY_NOT."""
    letter = _letter(message)
    if letter is None:
        return "Nobody gets this mail any more."
    enrollment = letter.enrollment
    if enrollment.state == EnrollmentState.STOPPED:
        return f"{enrollment.get_why_display()}."
    if letter.step.removed_at is not None:
        return "This mail was taken out of the sequence."
    if not letter.step.sequence.is_on:
        return f"{Stop.OFF.label}."
    lead = Lead.objects.get(pk=enrollment.lead_id)
    if lead.email and digest_of(lead.workspace_id, lead.email) != letter.digest:
        return "They have another address now."
    why = nurture.stop_for(lead, since=enrollment.enrolled_at, address=message.to_email)
    return f"{why.label}." if why else ""


def bounced(message: Message, at: datetime) -> None:
    """The address of a nurture mail doesn't exist."""
    letter = _letter(message)
    if letter is not None:
        nurture.bounced(letter, at=at)


BULK = Bulk(words=words, bounced=bounced)
# One of us asked for it: what becomes of it is nothing about a lead.
TEST = Bulk(words=words, bounced=lambda _message, _at: None)
