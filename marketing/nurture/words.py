"""What stands in a nurture mail: the business's own words, with fields from a short list put in once, as plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from funnel.leads.identity import Refused
from funnel.leads.models import Lead
from funnel.mail.actions import first_name, plain
from funnel.workspaces.models import Member, Workspace

FIELDS = {
    "first_name": "their first name",
    "name": "their name",
    "company": "their company",
    "business": "your business",
    "sender": "who signs",
}
# What may not be known needs words for when it is not; here those of the examples.
INSTEAD = {"first_name": "friend", "name": "friend", "company": "your company"}
# The fields as they are written into a mail.
MARKS = {name: f"{{{{{name}{'|' * (name in INSTEAD)}{INSTEAD.get(name, '')}}}}}" for name in FIELDS}
EXAMPLE = MARKS["first_name"]
MARK = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
ADDRESS = re.compile(r"https?://[^\s<>\"{}]+[^\s<>\"{}.,;:!?)\]’”]")
SINGLE = re.compile(rf"\{{\s*({'|'.join(FIELDS)})\s*(?:\|[^{{}}]*)?\}}")
FIELD_IN_ADDRESS = re.compile(r"https?://\S*\{\{")
LONGEST_SUBJECT, LONGEST_TEXT, LONGEST_VALUE = 150, 8000, 80
# A mail's words in pieces: ("words", text) or ("link", address).
Piece = tuple[str, str]


def check(subject: str, text: str) -> tuple[str, str]:
    """Tidy a mail's subject and words; raise Refused with a sentence for what can't be sent."""
    errors = {}
    if "\n" in subject or "\r" in subject:
        errors["subject"] = "A subject is one line."
    subject, text = plain(subject).strip(), text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not subject:
        errors.setdefault("subject", "Write a subject.")
    elif len(subject) > LONGEST_SUBJECT:
        errors["subject"] = f"Write at most {LONGEST_SUBJECT} characters."
    if not text:
        errors["text"] = "Write the mail."
    elif len(text) > LONGEST_TEXT:
        errors["text"] = f"Write at most {LONGEST_TEXT} characters."
    for address in ADDRESS.findall(text):
        # A click leads there, and nothing leads to what is no address.
        try:
            urlsplit(address)
        except ValueError:
            errors.setdefault("text", f"“{address[:60]}” is no address that leads anywhere.")
    for name, words in (("subject", subject), ("text", text)):
        if wrong := _wrong_mark(words):
            errors.setdefault(name, wrong)
    if errors:
        raise Refused(errors)
    return subject, text


def _wrong_mark(words: str) -> str:
    """What is wrong with the first field that can't be filled; blank where all can."""
    if FIELD_IN_ADDRESS.search(words):
        return "An address can’t hold a field: it must be the same for everybody."
    for inside in MARK.findall(words):
        name, _, instead = (part.strip() for part in inside.partition("|"))
        if name not in FIELDS:
            return f"“{{{{{inside.strip()[:40]}}}}}” is no field. There are: {', '.join(MARKS.values())}."
        if name in INSTEAD and not instead:
            return f"Say what stands there when we don’t know it, like {MARKS[name]}."
        if "://" in instead:
            return "An address can’t stand in a field: it must be the same for everybody."
    plainly = MARK.sub("", words)
    if single := SINGLE.search(plainly):
        return f"“{single[0]}” would be sent as it is. Write {MARKS[single[1]]}."
    if left := re.search(r"\{\{|\}\}|\{%|%\}", plainly):
        return f"“{left[0]}” would be sent as it is. A field is written like {EXAMPLE}."
    return ""


def values_for(lead: Lead, *, workspace: Workspace, sender: Member | None) -> dict[str, str]:
    """What the fields are for one lead, each a short line of plain text."""
    return {
        "first_name": first_name(lead.name),
        "name": _given(lead.name),
        "company": _given(lead.company_name),
        "business": _short(workspace.name),
        "sender": _short(sender.name) if sender else _short(workspace.name),
    }


def _given(value: str) -> str:
    """What somebody gave of themselves; blank where it is a field that another program left unfilled."""
    return "" if "{{" in value or "}}" in value else _short(value)


def _short(value: str) -> str:
    return plain(" ".join(value.split()))[:LONGEST_VALUE]


def filled(words: str, values: Mapping[str, str]) -> str:
    """Put the fields in, once: what a value says is never read again. An unknown field stays as it was written."""

    def one(mark: re.Match[str]) -> str:
        name, _, instead = (part.strip() for part in mark[1].partition("|"))
        return (values[name] or instead) if name in FIELDS else mark[0]

    return MARK.sub(one, words)


def titled(subject: str) -> str:
    """A subject as one of us reads it in a list: what may not be known by what stands there instead."""
    return filled(subject, {name: "" if name in INSTEAD else words for name, words in FIELDS.items()})


def pieces(text: str, values: Mapping[str, str]) -> list[Piece]:
    """A mail's words with the fields put in; only addresses that the business wrote itself become links."""
    found, at = [], 0
    for address in ADDRESS.finditer(text):
        found += [("words", filled(text[at : address.start()], values)), ("link", address[0])]
        at = address.end()
    return [piece for piece in [*found, ("words", filled(text[at:], values))] if piece[1]]
