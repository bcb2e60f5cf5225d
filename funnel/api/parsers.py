"""Read JSON strictly: what another program would read differently, or no database can keep, is refused."""

from __future__ import annotations

import json
import math
import re
from typing import IO, Any, NoReturn

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser

DEEPEST = 32
LONGEST_NUMBER = 40
CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
BRACKET = re.compile(r"[][{}]")
# Only an escape can bring these in: raw ones are no JSON (NUL) or no UTF-8 (surrogates).
SUSPICIOUS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class StrictJSONParser(BaseParser):
    """Refuse NUL, lone surrogates, depth over 32, duplicate keys, NaN, endless numbers and any charset but UTF-8."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        """Give the object in the body; raise ParseError with a sentence."""
        charset = parse_header_parameters(media_type or "")[1].get("charset", "utf-8")
        if charset.lower() not in CHARSETS:
            raise UnsupportedMediaType(media_type or "", "Send JSON in UTF-8; other charsets aren’t read.")
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise RequestDataTooBig("The body is over the limit.")
        return read(raw)


def read(raw: bytes) -> dict[str, Any]:
    """Read one JSON object, or raise ParseError with a sentence."""
    if not raw.strip():
        raise ParseError("The body is empty. Send a JSON object.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ParseError("The body is not UTF-8.") from None
    if text.startswith("\ufeff"):
        raise ParseError("The body begins with a byte order mark. Send plain UTF-8.")
    _measure(text)
    try:
        found = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_whole,
            parse_float=_fraction,
            parse_constant=_constant,
        )
    except (ValueError, RecursionError):
        raise ParseError("The body is not JSON.") from None
    if not isinstance(found, dict):
        raise ParseError("Send a JSON object.")
    if SUSPICIOUS.search(text):
        _look_into(found)
    return found


def _measure(text: str) -> None:
    """Refuse what is nested too deeply, before the reader goes down into it."""
    if text.count("{") + text.count("[") <= DEEPEST:
        return
    depth = 0
    for bracket in BRACKET.findall(STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > DEEPEST:
            raise ParseError(f"The body is nested more than {DEEPEST} levels deep.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ParseError(f"The name “{_safe(twice)}” stands twice in the same object.")
    return found


def _safe(name: str) -> str:
    return name[:80].encode("ascii", "replace").decode().replace("\x00", "?")


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ParseError("A number has too many digits. Send it as a text.")
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits)
    if len(digits) > LONGEST_NUMBER or math.isinf(number):
        raise ParseError("A number has too many digits. Send it as a text.")
    return number


def _constant(name: str) -> NoReturn:
    raise ParseError(f"{name} is not a number that JSON knows.")


def _look_into(value: Any) -> None:
    """Refuse a NUL or a lone surrogate in any text or name."""
    if isinstance(value, str):
        if "\x00" in value:
            raise ParseError("A text holds NUL, which can’t be stored.")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise ParseError("A text holds half of a surrogate pair, which can’t be stored.") from None
    elif isinstance(value, dict):
        for name, inner in value.items():
            _look_into(name)
            _look_into(inner)
    elif isinstance(value, list):
        for inner in value:
            _look_into(inner)
