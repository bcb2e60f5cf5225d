"""Answer what goes wrong: problem details (RFC 9457) for a program, a page with a sentence for a person."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from errno import EDQUOT, ENOSPC
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    JsonResponse,
    UnreadablePostError,
)
from django.template.loader import render_to_string
from rest_framework import exceptions
from rest_framework.response import Response

from funnel.workspaces.again import was_ended
from funnel.workspaces.limits import StoreAway
from funnel.workspaces.refusals import Refusal

log = logging.getLogger("baton.trouble")

API = "/api/"
PROBLEM = "application/problem+json"
BUSY = "Baton could not reach its database just now. Nothing was changed; try again in a few seconds."
FULL = "The disk of this Baton is full. Nothing was kept; whoever looks after it must make room."
RETRY_AFTER = "2"
# What a page says by itself; another status gets the template of the nearest kind.
PAGES = (400, 403, 404, 405, 409, 413, 429, 500, 503)
SENTENCES = {
    400: "The request can’t be read.",
    404: "There is nothing here, or it belongs to another business.",
    413: "This is too big. Send at most 2 MB at once.",
    500: "Something went wrong on our side. It was written down.",
    503: BUSY,
}
# What REST framework would say of these in words for its own users.
FRAMEWORK: dict[type[exceptions.APIException], str] = {
    exceptions.NotAuthenticated: "The key is missing, mistyped, ended or revoked. Send: Authorization: Bearer bt_...",
    exceptions.MethodNotAllowed: "This address doesn’t know this method.",
}


class TooMany(Refusal):
    """Asked too often; `wait` is the number of seconds until it may be tried again."""

    status = 429

    def __init__(self, wait: int) -> None:
        super().__init__(f"Too many requests. Try again in {wait} seconds.")
        self.wait = wait


def document(status: int, detail: str, errors: Any = None, **extra: Any) -> dict[str, Any]:
    """Give a problem document; `errors` names the fields, each with its sentence."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **({"errors": errors} if errors else {}),
        **extra,
    }


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's handler of exceptions; None leaves what nobody foresaw to the log and a plain 500."""
    told = _told(error)
    if told is None:
        return None
    body, headers = told
    response = Response(body, body["status"], content_type=PROBLEM, headers=headers)
    response.ended = was_ended(error)  # type: ignore[attr-defined]
    return response


def _told(error: Exception) -> tuple[dict[str, Any], dict[str, str]] | None:
    """The problem document and the headers for an exception that we know."""
    if isinstance(error, Refusal):
        headers = {"Retry-After": str(error.wait)} if isinstance(error, TooMany) else {}
        errors = getattr(error, "errors", None)
        return document(error.status, error.sentence, errors, **error.extra), headers
    if isinstance(error, exceptions.APIException):
        return _framework(error)
    if isinstance(error, OperationalError | InterfaceError | StoreAway):
        log.warning("The database or the counters refused: %s", " ".join(str(error).split())[:300])
        return document(503, BUSY), {"Retry-After": RETRY_AFTER}
    if isinstance(error, IntegrityError):
        log.warning("Answered 409: %s", " ".join(str(error).split())[:300])
        return document(409, "Somebody changed the same thing at the same moment. Try again."), {}
    if isinstance(error, DataError):
        return document(400, "A value is longer or bigger than can be stored."), {}
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
        log.error("Answered 507: %s", error)
        return document(507, FULL), {}
    if isinstance(error, UnreadablePostError):
        return document(400, "The request ended before its body did."), {}
    if isinstance(error, RequestDataTooBig):
        return document(413, SENTENCES[413]), {}
    if isinstance(error, Http404):
        return document(404, SENTENCES[404]), {}
    if isinstance(error, PermissionDenied):
        # Answered here, not by Django, which would write the whole way to it into the log each time.
        return document(403, str(error) or "Your role doesn’t include this."), {}
    return None


def _framework(error: exceptions.APIException) -> tuple[dict[str, Any], dict[str, str]]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if isinstance(error, exceptions.ValidationError):
        return document(400, "Some fields can’t be taken.", error.detail), headers
    return document(error.status_code, FRAMEWORK.get(type(error)) or str(error.detail)), headers


class TroubleMiddleware:
    """Answer database trouble, a verb's refusal out of a page, and methods that a page doesn't know."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(API) and not request.path_info.endswith("/"):
            # Django would answer 301, and a client would repeat its POST as a GET that seems to work.
            moved = HttpResponse(status=308)
            moved["Location"] = request.get_full_path(force_append_slash=True)
            return moved
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            return answer(request, 405, "This address doesn’t know this method.", {"Allow": response["Allow"]})
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer an exception out of a page; REST framework has answered those out of the API already."""
        return None if isinstance(error, Http404) else _answer_for(request, error)


def _answer_for(request: HttpRequest, error: Exception) -> HttpResponse | None:
    told = _told(error)
    if told is None:
        return None
    body, headers = told
    response = answer(request, body["status"], body["detail"], headers, body)
    response.ended = was_ended(error)  # type: ignore[attr-defined]
    return response


def answer(
    request: HttpRequest,
    status: int,
    sentence: str = "",
    headers: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
) -> HttpResponse:
    """Say it to whoever asks: a problem document under /api/, else a page without anything from the database."""
    if request.path_info.startswith(API):
        told = body or document(status, sentence or SENTENCES.get(status, HTTPStatus(status).phrase))
        return JsonResponse(told, status=status, content_type=PROBLEM, headers=headers)
    page = status if status in PAGES else 400 if status < 500 else 500
    html = render_to_string(f"errors/{page}.html", {"sentence": sentence})
    return HttpResponse(html, status=status, headers=headers)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer what Django found malformed before any view saw it."""
    return answer(request, 413 if isinstance(exception, RequestDataTooBig) else 400)


def csrf(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose page was open for too long."""
    return HttpResponse(render_to_string("errors/csrf.html"), status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer an address where nothing is, or nothing of this business."""
    return answer(request, 404)


def trouble(request: HttpRequest) -> HttpResponse:
    """Answer an exception from outside the views: the gate that can't open is 503, all else 500."""
    error = sys.exc_info()[1]
    known = _answer_for(request, error) if isinstance(error, Exception) else None
    return known or answer(request, 500)
