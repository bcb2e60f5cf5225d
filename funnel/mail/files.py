"""What a letter carries: an invitation for a calendar, a quote as PDF."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string

from funnel.mail.models import Message


@dataclass(frozen=True)
class File:
    """A file of a letter: its name, its type with parameters, and how its bytes are made when they are needed."""

    name: str
    type: str
    make: Callable[[], bytes]


def files_of(message: Message) -> list[File]:
    """What the letter carries, by settings.MAIL_FILES: the same whenever it is asked, as the letter's words are."""
    dotted = settings.MAIL_FILES.get(message.kind)
    return import_string(dotted)(message) if dotted else []
