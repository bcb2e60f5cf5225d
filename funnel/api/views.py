"""What every address of the API has in common: limits, strict bodies and queries, repeated requests, ETags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from funnel.api import idempotency
from funnel.api.errors import TooMany
from funnel.api.paging import PAGING, page
from funnel.api.shapes import Invalid, Shape
from funnel.workspaces.limits import hit
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.refusals import Refusal

LONGEST_WORD = 200


class Stale(Refusal):
    """The row has changed since the client read it."""

    status = 412


def spec(
    summary: str,
    *,
    body: Shape | None = None,
    may_be_empty: bool = False,
    query: Mapping[str, str] | None = None,
    paged: bool = False,
    answers: Mapping[int, Any] | None = None,
) -> Callable[[Any], Any]:
    """Say what an action takes and answers: the view checks it, and the schema shows it."""
    params = {**(query or {}), **(PAGING if paged else {})}

    def wrap(action: Any) -> Any:
        action.body, action.may_be_empty, action.params = body, may_be_empty, params
        return extend_schema(
            summary=summary,
            description=(action.__doc__ or "").strip() or None,
            request={"application/json": body.schema()} if body else None,
            parameters=[
                OpenApiParameter(name, str, OpenApiParameter.QUERY, description=says) for name, says in params.items()
            ],
            responses={**(answers or {200: {"type": "object"}}), "default": PROBLEM_SCHEMA},
        )(action)

    return wrap


PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457, sent as application/problem+json",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["type", "title", "status", "detail"],
}


class ApiView(ViewSet):
    """One address of the API. `scope` is what its key needs, `rights` names per action what the role needs."""

    http_method_names = ["get", "post", "patch", "head"]
    scope: str | None = None
    rights: Mapping[str, str] = {}
    values: dict[str, Any]
    keeping: Any = None

    def right(self) -> str | None:
        """Name the right that the action needs; None for a method that this address doesn't know."""
        known = self.action and self.action != "metadata"
        return self.rights.get(self.action or "", "business") if known else None

    @property
    def http(self) -> HttpRequest:
        return self.request._request

    @property
    def member(self) -> Member:
        return self.request.auth.member  # type: ignore[union-attr]

    @property
    def workspace(self) -> Workspace:
        return self.http.workspace  # type: ignore[attr-defined]

    @property
    def at(self) -> datetime:
        return self.http.at  # type: ignore[attr-defined]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what may not, is too often, or is not written as the action takes it."""
        super().initial(request, *args, **kwargs)
        self._limit(request)
        action: Any = getattr(self, self.action or "", None)
        if not hasattr(action, "params"):
            return
        self._check_query(request, action.params)
        if request.method in ("POST", "PATCH"):
            self._read_body(request, action)

    def _limit(self, request: Request) -> None:
        key: Any = request.auth
        wait = hit("api", str(key.pk), settings.API_LIMIT, 60) if settings.API_LIMIT else None
        if wait is not None:
            raise TooMany(wait)

    def _check_query(self, request: Request, params: Mapping[str, str]) -> None:
        errors = {}
        for name, values in request.query_params.lists():
            if name not in params:
                errors[name[:80]] = "This address doesn’t know this parameter."
            elif len(values) > 1:
                errors[name] = "Send this once."
            elif "\x00" in values[0] or "�" in values[0]:
                errors[name] = "This holds a character that can’t be read."
            elif name != "cursor" and len(values[0]) > LONGEST_WORD:
                errors[name] = f"This is longer than {LONGEST_WORD} characters."
        if errors:
            raise Invalid(errors)

    def _read_body(self, request: Request, action: Any) -> None:
        raw = self.http.body
        if raw:
            sent = request.data
        elif action.may_be_empty:
            sent = {}
        else:
            raise ParseError("The body is empty. Send a JSON object.")
        if request.method == "POST":
            self.keeping = idempotency.begin(request, raw)
        self.values = action.body.read(sent)

    def handle_exception(self, exc: Exception) -> Response:
        """Give the kept answer of a repeated request; a problem document for everything else that we know."""
        if isinstance(exc, idempotency.Replayed):
            return Response(exc.kept.body, exc.kept.status, headers={"Idempotency-Replayed": "true"})
        self.keeping = None
        return super().handle_exception(exc)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Keep the answer where the client may repeat the request, and mark a row's version."""
        response = super().finalize_response(request, response, *args, **kwargs)
        body = getattr(response, "data", None)
        if response.status_code < 300 and isinstance(body, dict) and "version" in body:
            response["ETag"] = f'"{body["version"]}"'
        if self.keeping is not None and response.status_code < 300:
            idempotency.keep(self.keeping, response.status_code, body)
        response["Cache-Control"] = "no-store"
        return response

    def match(self, version: int) -> None:
        """Raise Stale when the client changes what it read in an older version."""
        wanted = self.request.headers.get("If-Match")
        if wanted is None or wanted.strip() == "*":
            return
        given = {tag.strip().removeprefix("W/").strip('"') for tag in wanted.split(",")}
        if str(version) not in given:
            raise Stale("This has changed since you read it. Read it again, then change it.", version=version)

    def narrowed(self, rows: Any, by: Mapping[str, Callable[..., Any]], *also: Any) -> tuple[Any, dict[str, str]]:
        """The rows that the parameters of the address ask for, and a sentence for each that can't be read."""
        errors: dict[str, str] = {}
        for name, narrow in by.items():
            said = self.request.query_params.get(name)
            if said is None:
                continue
            try:
                rows = narrow(rows, said, *also)
            except Invalid as wrong:
                errors |= wrong.errors
            except ValueError as wrong:
                errors[name] = str(wrong)
        return rows, errors

    def listed(self, rows: Any, order: tuple[str, str], write: Callable[[list[Any]], list[Any]]) -> Response:
        """Answer one page of a list."""
        found, after = page(self.request, rows, order)
        return Response({"results": write(found), "next": after})


def list_of(each: Mapping[str, Any]) -> dict[int, Any]:
    """Describe a page of a list for the schema."""
    return {
        200: {
            "type": "object",
            "properties": {
                "results": {"type": "array", "items": each},
                "next": {"type": "string", "nullable": True, "format": "uri"},
            },
            "required": ["results", "next"],
        }
    }
