"""Where a form leads back to."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme


def way_back(request: HttpRequest) -> str:
    """The page of ours that the form or the address names as `next`; blank without one."""
    back = request.POST.get("next", "") or request.GET.get("next", "")
    ours = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return back if ours else ""


def go_back(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """Answer with the page that the form came from, or with another."""
    return HttpResponseRedirect(way_back(request) or otherwise)
