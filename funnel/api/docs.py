"""The page that says what the API takes and answers, written from the same schema that programs read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from funnel.api.schema import described
from funnel.workspaces.roles import allow

WORDS = {
    "date": "date", "date-time": "moment", "email": "e-mail", "uuid": "id", "uri": "address", "integer": "whole number",
    "number": "number", "boolean": "true or false", "object": "object", "array": "list", "string": "text",
}  # fmt: skip
# Longer lists of choices are the reader's to look up where they are kept.
CHOICES = 15


@dataclass(frozen=True)
class Field:
    """One line of a table: a field's name with what it lies in, and what it holds."""

    name: str
    kind: str
    says: SafeString
    needed: bool


@dataclass(frozen=True)
class Address:
    """What may be asked at an address by one method."""

    method: str
    path: str
    title: str
    says: SafeString
    query: list[Field]
    body: list[Field]
    answers: list[tuple[str, list[Field]]]


@require_safe
@allow("read")
def docs(request: HttpRequest) -> HttpResponse:
    """Every address of the API, what it takes and what it answers."""
    groups = _groups()
    context = {
        "base": f"{settings.PUBLIC_URL}/api/v1/",
        "names": list(groups),
        "count": sum(map(len, groups.values())),
        "addresses": _written(),
    }
    return render(request, "funnel/api/docs.html", context)


@cache
def _written() -> SafeString:
    """The addresses as HTML; hundreds of lines, the same for everybody, so they are written once."""
    return render_to_string("funnel/api/addresses.html", {"groups": _groups()})


@cache
def _groups() -> dict[str, list[Address]]:
    """The addresses by the first word of their path."""
    groups: dict[str, list[Address]] = {}
    for path, methods in described()["paths"].items():
        for method, said in methods.items():
            groups.setdefault(said["tags"][0], []).append(_address(method, path, said))
    return groups


def _address(method: str, path: str, said: dict[str, Any]) -> Address:
    query = [Field(one["name"], "", _marked(one), False) for one in said.get("parameters", []) if one["in"] == "query"]
    answers = {
        status: list(_fields(_content(answer)))
        for status, answer in said["responses"].items()
        if status.startswith("2")
    }
    same = len({tuple(fields) for fields in answers.values()}) == 1
    return Address(
        method.upper(),
        path,
        said["summary"],
        _marked(said),
        query,
        list(_fields(_content(said.get("requestBody", {})))),
        [(" or ".join(answers), next(iter(answers.values())))] if same else list(answers.items()),
    )


def _marked(said: dict[str, Any]) -> SafeString:
    """The description, with what stands between backticks as code."""
    parts = enumerate(said.get("description", "").split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if at % 2 else part,) for at, part in parts)
    )


def _content(said: dict[str, Any]) -> dict[str, Any]:
    shape: dict[str, Any] = said.get("content", {}).get("application/json", {}).get("schema", {})
    return shape


def _fields(shape: dict[str, Any], under: str = "") -> Iterator[Field]:
    """The fields of an object and of what lies in it, each with its whole name."""
    needed = shape.get("required", ())
    for name, inner in shape.get("properties", {}).items():
        whole = f"{under}{name}"
        yield Field(whole, _kind(inner), _marked(inner), name in needed)
        each = inner.get("items", {}) if inner.get("type") == "array" else inner
        yield from _fields(each, f"{whole}[]." if each is not inner else f"{whole}.")


def _kind(shape: dict[str, Any]) -> str:
    if choices := [str(one) for one in shape.get("enum", []) if one is not None]:
        word = "one of " + ", ".join(choices) if len(choices) <= CHOICES else "text"
    else:
        kind = shape.get("type", "string")
        word = WORDS.get(shape.get("format", ""), WORDS.get(kind, kind))
        if kind == "array":
            inner = shape.get("items", {}).get("type", "string")
            word = f"list of {WORDS.get(inner, inner)}s"
        if "maxLength" in shape:
            word += f" of up to {shape['maxLength']}"
        if "maxItems" in shape:
            word += f", up to {shape['maxItems']:,}"
    return f"{word}, or null" if shape.get("nullable") else word
