"""What a letter to many needs that one to one person doesn't: words of its own, a way to say no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from funnel.mail.models import Message


@dataclass(frozen=True)
class Bulk:
    """Marketing's side of a kind of letter.

    words: (message, hidden) what its template says beside the context, without links that are ours where hidden.
    bounced: (message, at) its address doesn't exist.
    """

    words: Callable[[Message, bool], dict[str, Any]]
    bounced: Callable[[Message, datetime], None]


def bulk_of(message: Message) -> Bulk | None:
    """What applies to this letter by settings.MAIL_BULK; None for a letter to one."""
    dotted = settings.MAIL_BULK.get(message.kind)
    found: Bulk | None = import_string(dotted) if dotted else None
    return found


def unsubscribing(link: str) -> dict[str, str]:
    """The headers by which a mail program offers to end such letters, with one POST (RFC 2369 and RFC 8058)."""
    if not link:
        return {}
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
