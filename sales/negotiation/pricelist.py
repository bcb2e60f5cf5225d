"""Keep the price list: add a product, change it, archive it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count

from funnel.workspaces.models import AuditEntry, Member
from sales.negotiation.models import Product, ProductPrice, QuoteLine

# A rate that nobody has said is not taken for none.
NO_RATE = "Say the rate; write 0 where there is none."
EDITABLE = ("name", "description", "tax_rate", "external_system", "external_id")


@transaction.atomic
def add(product: Product, prices: Mapping[str, int], *, by: Member, at: datetime) -> Product:
    """Put a product on the price list; `prices` are minor units by currency."""
    product.workspace, product.created_at = by.workspace, at
    product.save(force_insert=True)
    _price(product, prices)
    _audit("product added", product, by=by, at=at)
    return product


@transaction.atomic
def change(
    product: Product, values: Mapping[str, Any], prices: Mapping[str, int] | None, *, by: Member, at: datetime
) -> Product:
    """Change a product, and all its prices where they are given; quotes that were made keep what they say."""
    was = {
        name: getattr(product, name) for name in EDITABLE if name in values and getattr(product, name) != values[name]
    }
    for name in was:
        setattr(product, name, values[name])
    old = dict(product.prices.values_list("currency", "amount"))
    if prices is not None and dict(prices) != old:
        product.prices.all().delete()
        _price(product, prices)
        was["prices"] = old
    if was:
        product.version += 1
        product.save(update_fields=[*(name for name in was if name != "prices"), "version"])
        _audit("product changed", product, by=by, at=at, was=was)
    return product


@transaction.atomic
def archive(product: Product, *, archived: bool, by: Member, at: datetime) -> None:
    """Take a product off the price list, or put it back."""
    if archived == (product.archived_at is not None):
        return
    product.archived_at = at if archived else None
    product.version += 1
    product.save(update_fields=["archived_at", "version"])
    _audit("product archived" if archived else "product offered again", product, by=by, at=at)


def usual_rate() -> int | None:
    """The rate that most products have, else that of the line written last; None while nobody has said one."""
    rates = Product.objects.values_list("tax_rate").annotate(many=Count("pk")).order_by("-many", "tax_rate")
    lines = QuoteLine.objects.order_by("-version", "-position").values_list("tax_rate")
    found: tuple[int, ...] | None = rates.first() or lines.first()
    return found[0] if found else None


def _price(product: Product, prices: Mapping[str, int]) -> None:
    ProductPrice.objects.bulk_create(
        ProductPrice(workspace_id=product.workspace_id, product=product, currency=currency, amount=amount)
        for currency, amount in prices.items()
    )


def _audit(action: str, product: Product, *, by: Member, at: datetime, **data: Any) -> None:
    AuditEntry.objects.create(
        workspace_id=product.workspace_id, at=at, actor=by, action=action, target=product.name[:120], data=data
    )
