"""Read a form's POST and check what was typed, without Django's form machinery: this is the busiest door."""

from __future__ import annotations

import re
import unicodedata
from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

from funnel.leads.fields import LONGEST, one_value
from funnel.leads.identity import LENGTHS, Refused, clean_email, clean_phone
from funnel.leads.models import FieldDefinition
from funnel.workspaces.refusals import Refusal
from marketing.capture.models import Form

LARGEST = 64 * 1024
MOST_FIELDS = 200
LONG_TEXT = 5000
EMAIL, PHONE = 254, 60
MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"
NOT_YES = {"", "no", "false", "0", "off"}
_LINES = re.compile(r"[\r\n\t]")
BAD_SIGN = "This text holds a character that can’t be stored."
# What a form's own page sends besides its questions; TAGS of origins are read before.
SERVICE = {
    "consent", "website", "shown", "referrer",
    "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "c",
}  # fmt: skip
MISSING = {
    "name": "Please tell us your name.",
    "email": "Please give your e-mail address.",
    "phone": "Please give a phone number.",
    "company": "Please tell us the company.",
}


class Unreadable(Refusal):
    """The POST can't be read at all; nothing of it was kept."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def read(request: HttpRequest) -> dict[str, str]:
    """Give the fields of an urlencoded or multipart POST, the last of each name; raise Unreadable."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise Unreadable(400, "This can’t be read.") from None
    if length > LARGEST:
        raise Unreadable(413, "This is too much for a form. Please write less.")
    charset = (request.content_params or {}).get("charset", "utf-8").strip("\"'").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise Unreadable(415, "A form has to be sent in UTF-8.")
    if request.content_type == URLENCODED:
        return _urlencoded(request.body)
    if request.content_type == MULTIPART:
        return _multipart(request)
    raise Unreadable(415, "A form has to be sent as a form.")


def _urlencoded(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Unreadable(400, "This can’t be read: it has to be UTF-8, with at most 200 fields.") from None
    return dict(pairs)


def _multipart(request: HttpRequest) -> dict[str, str]:
    """Read a multipart body; one without its last line was cut off on the way, so what is left is not what was sent."""
    boundary = (request.content_params or {}).get("boundary", "").strip('"')
    body = request.body
    if not boundary or not body.rstrip().endswith(f"--{boundary}--".encode("latin-1", "replace")):
        raise Unreadable(400, "This was cut off on its way. Please send it again.")
    try:
        fields = request.POST
    except (MultiPartParserError, ValueError):
        raise Unreadable(400, "This can’t be read.") from None
    if len(fields) > MOST_FIELDS:
        raise Unreadable(400, "This can’t be read: it may have at most 200 fields.")
    typed = {name: fields[name] for name in fields}
    if any("\N{REPLACEMENT CHARACTER}" in value for value in typed.values()):
        try:
            body.decode("utf-8")
        except UnicodeDecodeError:
            raise Unreadable(400, "This can’t be read: it has to be UTF-8.") from None
    return typed


def check(form: Form, posted: dict[str, str], *, country: str) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Give what was typed into the form's own questions, a sentence for each wrong one, and the names left out."""
    typed: dict[str, str] = {}
    errors: dict[str, str] = {}
    for question in form.questions:
        name = question["name"]
        value = posted.get(name, "").strip()
        if not value:
            if question.get("required"):
                errors[name] = MISSING.get(name, "Please fill this in.")
            continue
        typed[name] = value
        if wrong := _wrong(question, value, country):
            errors[name] = wrong
    if form.consent_text and posted.get("consent", "").strip().casefold() not in NOT_YES:
        typed["consent"] = "yes"
    if not errors and not (typed.get("email") or typed.get("phone") or (typed.get("name") and typed.get("company"))):
        asked = {question["name"] for question in form.questions}
        where = next((name for name in ("email", "phone", "company", "name") if name in asked), "email")
        errors[where] = "Please tell us how to reach you: an e-mail address or a phone number."
    known = {question["name"] for question in form.questions} | SERVICE
    return typed, errors, [name for name in posted if name not in known]


def _wrong(question: dict[str, Any], value: str, country: str) -> str:
    """Say what is wrong with a value, or nothing; the worker cleans what passes."""
    name = question["name"]
    long_text = name == "message" or name.startswith("fields.")
    shown = _LINES.sub("", value) if long_text else value
    if (
        name != "email"
        and not shown.isprintable()
        and any(unicodedata.category(sign) in ("Cc", "Cs") for sign in shown)
    ):
        return BAD_SIGN
    try:
        if name == "email":
            clean_email(value)
            return _too_long(value, EMAIL)
        if name == "phone":
            clean_phone(value, country)
            return _too_long(value, PHONE)
        if name.startswith("fields."):
            definition = FieldDefinition(
                kind=question.get("kind", FieldDefinition.Kind.TEXT), choices=question.get("choices", [])
            )
            one_value(definition, value)
            return _too_long(value, LONGEST)
    except Refused as refused:
        return refused.sentence
    except ValueError as wrong:
        return str(wrong)
    return _too_long(value, LONG_TEXT if name == "message" else LENGTHS.get(name, LENGTHS["name"]))


def _too_long(value: str, length: int) -> str:
    return f"This is longer than {length:,} characters." if len(value) > length else ""
