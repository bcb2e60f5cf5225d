"""A quote as PDF, by typst. A sign that no font has, or a picture that can't be drawn, never stops it."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typst
from django.utils.text import slugify

from funnel.mail.files import File
from funnel.mail.looks import BRAND
from funnel.mail.models import Message
from funnel.workspaces.logos import folder_of
from sales.negotiation.document import document_of, in_words
from sales.negotiation.models import QuoteVersion, State

log = logging.getLogger("baton.quotes")

HERE = Path(__file__).parent
# Inter for what it has; any font of the machine for another script, else an empty box.
FAMILIES = ["Inter", "Libertinus Serif"]


@cache
def _fonts() -> Any:
    return typst.Fonts(include_system_fonts=True, font_paths=[str(HERE / "fonts")])


@cache
def _source() -> bytes:
    return (HERE / "paper.typ").read_bytes()


def pdf_of(version: QuoteVersion, at: datetime) -> bytes:
    """The version on A4, accessible (PDF/UA-1) where every sign has a font.

    Once it was sent, the same bytes in every year, until somebody answers or it ends. `version` comes with its quote,
    deal and lead.
    """
    document = document_of(version, at)
    state = version.state_at(at)
    said = in_words(document)
    said |= {
        "fonts": FAMILIES,
        "accent": document["from"].get("brand") or BRAND,
        "document_title": f"{document['quote'] or 'Draft'}: {document['title']}",
        "headline": headline(said),
        "digest": version.digest,
        "is_open": state == State.SENT,
        "signed": version.signed,
        "signed_says": f"Accepted on {_on(version, said['zone'])} by typed name:" if version.signed else "",
        "says": _says(version, state),
    }
    folder, logo = folder_of(version.workspace_id), document["from"].get("logo", "")
    if logo and not (folder / logo).is_file():
        logo = ""
    stamp = (version.decided_at if version.signed else version.sent_at) or at
    data = json.dumps(said)
    tries: tuple[tuple[Any, str], ...] = ((["ua-1"], logo), ([], logo), ([], ""))
    for standards, picture in tries:
        inputs = {"quote": data, "logo": f"/{picture}" if picture else ""}
        try:
            made: bytes = typst.compile(
                _source(), root=str(folder if picture else HERE), font_paths=_fonts(), sys_inputs=inputs,
                pdf_standards=standards, timestamp=stamp.replace(microsecond=0),
            )  # fmt: skip
        except typst.TypstError as error:
            log.info("quote %s: %s", version.pk, "no PDF/UA" if standards else error.message[:200])
            trouble: Exception = error
        else:
            return made
    raise trouble


def headline(said: dict[str, Any]) -> str:
    """Which quote this is, in a line."""
    if not said["quote"]:
        return f"Draft of {said['date']}, not sent yet"
    return f"Quote {said['quote']}, version {said['version']} of {said['date']}"


def _on(version: QuoteVersion, zone: str) -> str:
    """The day of the decision on the clock that the document names, with its year: a proof is read years later."""
    if version.decided_at is None:
        return ""
    on = version.decided_at.astimezone(ZoneInfo(zone))
    return f"{on:%A} {on.day} {on:%B %Y}"


def _says(version: QuoteVersion, state: State) -> str:
    return {
        State.DRAFT: "This is a draft; it commits nobody.",
        State.DECLINED: "This version was declined.",
        State.EXPIRED: "This version has ended.",
        State.SUPERSEDED: "A newer version has replaced this one.",
    }.get(state, "")


def name_of(version: QuoteVersion) -> str:
    """The file's name: Q-2026-0147-v2.pdf."""
    stem = slugify(version.quote.name).upper() or "draft"
    return f"{stem}-v{version.number}.pdf"


def attached(message: Message) -> list[File]:
    """The PDF that a letter about a quote carries; MAIL_FILES."""
    version = QuoteVersion.objects.whole().filter(pk=message.context["version"]).first()
    if version is None or version.sent_at is None:
        return []
    at = version.decided_at or version.sent_at
    return [File(name_of(version), "application/pdf", lambda: pdf_of(version, at))]
