"""Products and quotes over the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.shapes import Invalid
from funnel.api.views import ApiView, list_of, spec
from funnel.leads.identity import Refused, clean_email
from funnel.ledger.money import read_currency
from funnel.workspaces.refusals import Refusal
from sales.deals.models import Deal
from sales.negotiation import actions, bodies, pricelist
from sales.negotiation.actions import LineDraft
from sales.negotiation.bodies import PRODUCT_SCHEMA, QUOTE_SCHEMA, write_product, write_quote
from sales.negotiation.models import Product, Quote, QuoteLine, QuoteVersion, State
from sales.negotiation.reckoning import QUANTITY, read_price


class NoSuchDeal(Refusal):
    """A deal that isn't there, or is another business's."""

    status = 404

    def __init__(self) -> None:
        sentence = "There is no such deal."
        super().__init__(sentence)
        self.errors = {"deal": sentence}


def deal_named(name: UUID | tuple[str, str]) -> Deal:
    """The deal that a body names; raise NoSuchDeal."""
    if isinstance(name, UUID):
        wanted: dict[str, Any] = {"pk": name}
    else:
        wanted = {"external_system": name[0], "external_id": name[1]}
    found: Deal | None = Deal.objects.filter(**wanted).select_related("holder__user").first()
    if found is None:
        raise NoSuchDeal
    return found


class ProductView(ApiView):
    """The price list."""

    scope = "deals"
    rights = {
        "list": "read",
        "retrieve": "read",
        "create": "products.change",
        "partial_update": "products.change",
    }

    def products(self) -> QuerySet[Product]:
        return Product.objects.prefetch_related("prices")

    @spec(
        "Products",
        query={"external_id": "The id in the system of yours.", "external_system": "Which system `external_id` is of."},
        paged=True,
        answers=list_of(PRODUCT_SCHEMA),
    )
    def list(self, request: Request) -> Response:
        """Latest added first, archived ones too."""
        rows = self.products()
        for name in ("external_id", "external_system"):
            if name in request.query_params:
                rows = rows.filter(**{name: request.query_params[name]})
        return self.listed(rows, ("-created_at", "-id"), lambda found: [write_product(one) for one in found])

    @spec("Add a product", body=bodies.NEW_PRODUCT, answers={201: PRODUCT_SCHEMA, 200: PRODUCT_SCHEMA})
    def create(self, request: Request) -> Response:
        """201 for a new product; 200 for one that is known by its external id, which stays as it is."""
        values = self._values()
        prices = values.pop("prices", {})
        if (known := self._known(values)) is not None:
            return Response(write_product(known))
        try:
            with transaction.atomic():
                made = pricelist.add(Product(**values), prices, by=self.member, at=self.at)
        except IntegrityError:
            # The same product came in a second request, which was faster.
            if (known := self._known(values)) is None:
                raise
            return Response(write_product(known))
        return Response(write_product(self.products().get(pk=made.pk)), 201)

    @spec("One product", answers={200: PRODUCT_SCHEMA})
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Answer one product."""
        return Response(write_product(get_object_or_404(self.products(), pk=pk)))

    @spec("Change a product", body=bodies.PRODUCT_CHANGES, answers={200: PRODUCT_SCHEMA})
    def partial_update(self, request: Request, pk: UUID) -> Response:
        """Change what is sent; `prices` replaces all of them. Quotes that were made keep what they say."""
        product: Product = get_object_or_404(Product.objects.select_for_update(), pk=pk)
        self.match(product.version)
        values = self._values()
        archived = values.pop("archived", None)
        pricelist.change(product, values, values.pop("prices", None), by=self.member, at=self.at)
        if archived is not None:
            pricelist.archive(product, archived=archived, by=self.member, at=self.at)
        return Response(write_product(self.products().get(pk=pk)))

    def _values(self) -> dict[str, Any]:
        """What was sent, tidied; raise Invalid."""
        values = {
            name: " ".join(value.split()) if isinstance(value, str) else value for name, value in self.values.items()
        }
        if values.get("name") == "":
            raise Invalid({"name": "A product needs a name."})
        if values.get("external_system") and not values.get("external_id"):
            raise Invalid({"external_system": "Send external_id with it."})
        return values

    def _known(self, values: dict[str, Any]) -> Product | None:
        if not values.get("external_id"):
            return None
        same = {name: values.get(name, "") for name in ("external_system", "external_id")}
        return self.products().filter(**same).first()


class QuoteView(ApiView):
    """Priced offers for deals."""

    scope = "deals"
    rights = {"list": "read", "retrieve": "read", "create": "deals.change", "send": "deals.change"}

    def quotes(self) -> Any:
        versions = QuoteVersion.objects.order_by("-number")
        lines = QuoteLine.objects.order_by("position", "id")
        return Quote.objects.prefetch_related(Prefetch("versions", versions), Prefetch("versions__lines", lines))

    @spec(
        "Quotes",
        query={"deal": "A deal’s id.", "state": f"Of the latest version: {', '.join(State.values)}."},
        paged=True,
        answers=list_of(QUOTE_SCHEMA),
    )
    def list(self, request: Request) -> Response:
        """Latest made first, each by its latest version."""
        rows, params = self.quotes(), request.query_params
        if "deal" in params:
            rows = rows.filter(deal=_id(params["deal"], "deal"))
        if "state" in params:
            if params["state"] not in State.values:
                raise Invalid({"state": f"Send one of: {', '.join(State.values)}."})
            rows = rows.in_state(params["state"], self.at)
        return self.listed(rows, ("-made_at", "-id"), self.written)

    @spec("Make a quote", body=bodies.NEW_QUOTE, answers={201: QUOTE_SCHEMA})
    def create(self, request: Request) -> Response:
        """Make a draft; its totals are reckoned here, each line rounded half-even, tax by rate."""
        given = self.values
        deal = deal_named(given["deal"])
        try:
            currency = read_currency(given["currency"]) if given.get("currency") else deal.currency
        except ValueError as wrong:
            raise Invalid({"currency": str(wrong)}) from None
        version = actions.draft(
            deal,
            lines_of(given["lines"], currency),
            by=self.member,
            at=self.at,
            currency=currency,
            title=" ".join(given.get("title", "").split()),
            words=given.get("words", "").strip(),
            terms=given["terms"].strip() if "terms" in given else None,
            valid_until=given.get("valid_until"),
        )
        return Response(self.one(version.quote_id), 201)

    @spec("One quote", answers={200: QUOTE_SCHEMA})
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Answer one quote by its latest version."""
        return Response(self.one(pk))

    @spec("Send a quote", body=bodies.SEND, may_be_empty=True, answers={200: QUOTE_SCHEMA})
    def send(self, request: Request, pk: UUID) -> Response:
        """Give it its number and address, and mail the lead; it stays as it is from then on. 409 when it was sent."""
        quote = get_object_or_404(self.quotes(), pk=pk)
        version = QuoteVersion.objects.whole().get(pk=next(iter(quote.versions.all())).pk)
        to = self.values.get("to") or None
        if to is not None:
            try:
                to = clean_email(to)[0]
            except Refused as refused:
                raise Invalid({"to": refused.errors["email"]}) from None
        actions.send(version, by=self.member, at=self.at, to=to, by_mail=self.values.get("mail", True))
        return Response(self.one(pk))

    def one(self, pk: UUID) -> dict[str, Any]:
        """Write one quote as it is now, or 404."""
        return self.written([get_object_or_404(self.quotes(), pk=pk)])[0]

    def written(self, quotes: Iterable[Quote]) -> Any:
        """Write quotes whose versions and lines are at hand."""
        told = []
        for quote in quotes:
            latest = next(iter(quote.versions.all()))
            latest.quote = quote
            told.append(write_quote(quote, latest, list(latest.lines.all()), self.at))
        return told


def lines_of(given: list[dict[str, Any]], currency: str) -> list[LineDraft]:
    """The lines as they are kept; raise Invalid that names each wrong field by its line."""
    if not given:
        raise Invalid({"lines": "A quote needs one line at least."})
    named = {place: one["product"] for place, one in enumerate(given) if one.get("product")}
    ids = {place: _id(said, f"lines.{place}.product") for place, said in named.items()}
    products = {one.pk: one for one in Product.objects.prefetch_related("prices").filter(pk__in=ids.values())}
    # As on the page, and asked for only where a line says none.
    usual = pricelist.usual_rate() if any("tax_rate" not in one and not one.get("product") for one in given) else None
    lines, errors = [], {}
    for place, one in enumerate(given):
        product = products.get(ids[place]) if place in ids else None
        where = f"lines.{place}"
        if place in ids and product is None:
            errors[f"{where}.product"] = "There is no such product."
            continue
        prices = {price.currency: price.amount for price in product.prices.all()} if product else {}
        text = " ".join(one.get("text", "").split()) or (product.name if product else "")
        if not text:
            errors[f"{where}.text"] = "This is needed."
        price = prices.get(currency)
        if "unit_price" in one:
            try:
                price = read_price(one["unit_price"], currency)
            except ValueError as wrong:
                errors[f"{where}.unit_price"] = str(wrong)
        elif product and price is None:
            errors[f"{where}.unit_price"] = f"{product.name} has no price in {currency}."
        elif price is None:
            errors[f"{where}.unit_price"] = "This is needed."
        rate = one.get("tax_rate", product.tax_rate if product else usual)
        if rate is None:
            errors[f"{where}.tax_rate"] = pricelist.NO_RATE
        lines.append(
            LineDraft(
                text=text,
                more=" ".join(one.get("more", "").split()) or (product.description if product else ""),
                quantity=one.get("quantity", QUANTITY),
                unit_price=price or 0,
                discount=one.get("discount", 0),
                tax_rate=rate or 0,
                product=product,
            )
        )
    if errors:
        raise Invalid(errors)
    return lines


def _id(said: str, name: str) -> UUID:
    try:
        return UUID(said)
    except ValueError:
        raise Invalid({name: "Send its id."}) from None


def routes() -> list[Any]:
    """The addresses of products and quotes."""
    return [
        path("products/", ProductView.as_view({"get": "list", "post": "create"}), name="products"),
        path(
            "products/<uuid:pk>/", ProductView.as_view({"get": "retrieve", "patch": "partial_update"}), name="product"
        ),
        path("quotes/", QuoteView.as_view({"get": "list", "post": "create"}), name="quotes"),
        path("quotes/<uuid:pk>/", QuoteView.as_view({"get": "retrieve"}), name="quote"),
        path("quotes/<uuid:pk>/send/", QuoteView.as_view({"post": "send"}), name="quote-send"),
    ]
