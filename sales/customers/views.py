"""The page of customers."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from funnel.workspaces.roles import allow
from sales.customers.page import list_of


@allow("read")
@require_GET
def customers(request: HttpRequest) -> HttpResponse:
    """Who bought, the latest first."""
    return render(request, "sales/customers.html", list_of(request))
