"""Do a request again that the database ended for another's sake: two that wait for each other can't both go on."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from funnel.workspaces.gate import DOORS

# What PostgreSQL says of the one it ends: a deadlock, and a row that changed since the transaction began to look.
ENDED = ("40P01", "40001")
TRIES, APART = 3, 0.1


def was_ended(error: Exception) -> bool:
    """Whether nothing is wrong with what was asked but the moment."""
    return getattr(error.__cause__, "pgcode", None) in ENDED


class AgainMiddleware:
    """Run the whole request again, at most three times in all, where nothing of it is left.

    That is so where all it does stands in one transaction; mail and rings too go only when it is committed. Log-in and
    sign-up write in several steps, and a file that came along may have been moved: those are answered 503.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for tried in range(1, TRIES):
            if not getattr(response, "ended", False) or not _can_be_repeated(request):
                break
            # Both were ended at the same moment where there are more than two; they shall not meet again.
            time.sleep(random.uniform(0, APART * tried))  # noqa: S311
            # Nothing takes back what the first try changed in memory; by it the next would think that all is done.
            request.session = type(request.session)(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
            request.user = SimpleLazyObject(lambda: get_user(request))  # type: ignore[assignment]
            response = self.get_response(request)
        return response


def _can_be_repeated(request: HttpRequest) -> bool:
    in_one = request.member is not None or request.path_info.startswith(DOORS)  # type: ignore[attr-defined]
    return in_one and request.content_type != "multipart/form-data"
