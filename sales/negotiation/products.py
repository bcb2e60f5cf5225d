"""The price list's pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from funnel.overview.paging import PAGE, beyond, cursor, read
from funnel.workspaces.roles import allow, may
from sales.negotiation import pricelist
from sales.negotiation.document import tax_name
from sales.negotiation.forms import ProductForm
from sales.negotiation.models import Product
from sales.negotiation.reckoning import percent_text


@allow("read")
@require_GET
def products(request: HttpRequest) -> HttpResponse:
    """What the business sells and for how much; archived ones on their own."""
    archived = request.GET.get("is") == "archived"
    rows = Product.objects.filter(archived_at__isnull=not archived).prefetch_related("prices").order_by("name", "id")
    if after := read("products", request.GET.get("after", ""), 2):
        rows = rows.filter(beyond("name", "id", after, falling=False))
    found = list(rows[: PAGE + 1])
    more, found = len(found) > PAGE, found[:PAGE]
    place = cursor("products", found[-1].name, found[-1].pk) if more else ""
    context: dict[str, Any] = {
        "archived": archived,
        "tax_name": tax_name(request.workspace),  # type: ignore[attr-defined]
        "rows": [
            {
                "product": one,
                "tax": percent_text(one.tax_rate),
                "prices": sorted(one.prices.all(), key=lambda price: price.currency),
            }
            for one in found
        ],
        "next_url": f"?is={'archived' if archived else 'offered'}&after={place}" if more else "",
        "is_first": after is None,
        "may": may(request.member, "products.change"),  # type: ignore[attr-defined]
    }
    return render(request, "sales/products.html", context)


@allow("products.change")
@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Add a product."""
    form = ProductForm(request.POST or None, workspace=request.workspace)  # type: ignore[attr-defined]
    if form.is_valid():
        given = form.cleaned_data
        made = Product(**{name: given[name] for name in ("name", "description", "tax_rate")})
        pricelist.add(made, given["prices"], by=request.member, at=request.at)  # type: ignore[attr-defined]
        messages.success(request, f"{made.name} is on the price list.")
        return redirect("sales:products")
    return render(request, "sales/product_form.html", {"form": form}, status=422 if form.errors else 200)


@allow("products.change")
@require_http_methods(["GET", "POST"])
def product(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Change a product."""
    found: Product = get_object_or_404(Product.objects.prefetch_related("prices"), pk=pk)
    form = ProductForm(request.POST or None, workspace=request.workspace, product=found)  # type: ignore[attr-defined]
    if form.is_valid():
        given = form.cleaned_data
        values = {name: given[name] for name in ("name", "description", "tax_rate")}
        pricelist.change(found, values, given["prices"], by=request.member, at=request.at)  # type: ignore[attr-defined]
        messages.success(request, "Saved. Quotes that were made keep what they say.")
        return redirect("sales:products")
    context = {"form": form, "product": found}
    return render(request, "sales/product_form.html", context, status=422 if form.errors else 200)


@allow("products.change")
@require_POST
def archive(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take a product off the price list, or put it back."""
    found: Product = get_object_or_404(Product, pk=pk)
    archived = request.POST.get("do") != "offer"
    pricelist.archive(found, archived=archived, by=request.member, at=request.at)  # type: ignore[attr-defined]
    messages.success(request, f"{found.name} is {'archived' if archived else 'on the price list again'}.")
    return redirect("sales:products")
