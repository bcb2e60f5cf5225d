"""The door: log in, sign up, choose a new password, start another business, go from one to another."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from allauth.account import views as allauth_views
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from funnel.people.forms import BusinessFields, start_initial
from funnel.workspaces import limits
from funnel.workspaces.gate import database_now
from funnel.workspaces.models import User
from funnel.workspaces.roles import public

AWAY_ERRORS: tuple[type[Exception], ...] = (limits.StoreAway, *limits.store_errors())
AWAY = "We can’t count tries just now, so nobody can log in. Nothing is lost. Try again in a few seconds."


def closes_without_store(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Answer 503 with a sentence while the store of the counters is away: without it tries can't be limited."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except AWAY_ERRORS:
            answer = render(request, "errors/503.html", {"sentence": AWAY}, status=503)
            answer["Retry-After"] = "5"
            return answer

    return guarded


@method_decorator(never_cache, name="dispatch")
class SignUp(allauth_views.SignupView):
    """Start a business, and its owner's log-in with it."""

    def get_initial(self) -> dict[str, Any]:
        """Begin with what the browser says about the country."""
        return super().get_initial() | start_initial(self.request)


login = public(closes_without_store(allauth_views.login))
logout = public(allauth_views.logout)
signup = public(closes_without_store(SignUp.as_view()))
inactive = public(allauth_views.account_inactive)
password_reset = public(closes_without_store(allauth_views.password_reset))
password_reset_done = public(allauth_views.password_reset_done)
password_from_key = public(closes_without_store(allauth_views.password_reset_from_key))
password_from_key_done = public(allauth_views.password_reset_from_key_done)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def start(request: HttpRequest) -> HttpResponse:
    """Start another business, or the first for somebody whom no business has."""
    form = BusinessFields(request.POST or None, initial=start_initial(request))
    if request.method == "POST":
        if form.is_valid():
            assert isinstance(request.user, User)
            made = form.begin(request.user, database_now())
            request.session["workspace"] = str(made.workspace_id)
            return redirect("home")
        return render(request, "funnel/people/start.html", {"form": form}, status=422)
    return render(request, "funnel/people/start.html", {"form": form})


@require_POST
def switch(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Go to another of one's businesses; somebody else's is not found."""
    if not any(one.workspace_id == pk for one in getattr(request, "memberships", [])):
        raise Http404
    request.session["workspace"] = str(pk)
    return redirect(reverse("home"))
