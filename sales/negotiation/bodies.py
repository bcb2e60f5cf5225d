"""What the API takes and answers for products and quotes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from funnel.api.shapes import Day, Flag, Rows, Shape, Text, described, stamp
from funnel.leads.identity import LENGTHS
from funnel.leads.named import LeadName
from funnel.ledger.money import read_currency, text
from sales.negotiation.actions import MOST_LINES
from sales.negotiation.links import url_of
from sales.negotiation.models import Product, Quote, QuoteLine, QuoteVersion, State
from sales.negotiation.reckoning import percent_text, quantity_text, read_percent, read_price, read_quantity, reckon

KEPT = "Baton keeps this itself; it can’t be set."
RECKONED = "Baton reckons this from the lines; leave it out."
NO_MATTER = "Baton reckons this from the lines; what is sent is ignored."
CURRENCIES = 30


class DealName(LeadName):
    """A deal by its id, or by what another system calls it."""

    says = 'Send the deal’s id, or {"external_id": …, "external_system": …}.'


class Number:
    """A decimal, as a text or as a JSON number, read exactly by `into`."""

    def __init__(self, into: Callable[[Any], Any], says: str) -> None:
        self.into, self.says = into, says

    def read(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError("Send a decimal like 12.50.")
        return self.into(value)

    def schema(self) -> dict[str, Any]:
        return described({"oneOf": [{"type": "string"}, {"type": "number"}]}, self.says)


class Prices:
    """A price per currency: {"EUR": "1250.00"}."""

    def read(self, value: Any) -> dict[str, int]:
        if not isinstance(value, dict):
            raise ValueError('Send a price per currency, like {"EUR": "1250.00"}.')
        if len(value) > CURRENCIES:
            raise ValueError(f"Send at most {CURRENCIES}.")
        found: dict[str, int] = {}
        for name, said in value.items():
            currency = read_currency(name[:10])
            if currency in found:
                raise ValueError(f"{currency} stands here twice.")
            found[currency] = Number(lambda one, into=currency: read_price(one, into), "").read(said)  # type: ignore[misc]
        return found

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Without tax, by currency, each with at most the currency’s digits.",
        }


PRODUCT = {
    "name": Text(200),
    "description": Text(500),
    "prices": Prices(),
    "tax_rate": Number(read_percent, "In percent; what its lines are taxed with unless they say otherwise."),
    "external_system": Text(LENGTHS["external_system"]),
    "external_id": Text(LENGTHS["external_id"], "A known one answers 200 and changes nothing.", numbers=True),
}
PRODUCT_FIXED = dict.fromkeys(("id", "created_at", "version"), KEPT)
NEW_PRODUCT = Shape(PRODUCT, required=["name"], fixed=PRODUCT_FIXED | {"archived": "Archive a product by changing it."})
PRODUCT_CHANGES = Shape(
    PRODUCT | {"archived": Flag("True takes it off the price list; quotes that name it stay.")}, fixed=PRODUCT_FIXED
)
LINE = Shape(
    {
        "text": Text(200, "What it is; the product’s name unless said."),
        "more": Text(500, "A second, smaller line."),
        "product": Text(40, "A product’s id; text, price and tax are taken from it unless said."),
        "quantity": Number(read_quantity, "More than 0, with up to 4 digits after the point; 1 unless said."),
        "unit_price": Number(lambda said: said, "Without tax, more than 0, with at most the currency’s digits."),
        "discount": Number(read_percent, "In percent, 0 to 100."),
        "tax_rate": Number(read_percent, "In percent, 0 to 100; the product’s, else your usual one, unless said."),
    },
    fixed={
        **dict.fromkeys(("net", "tax"), RECKONED),
        "currency": "All lines of a quote are in its one currency.",
    },
    ignored={"total": NO_MATTER},
)
NEW_QUOTE = Shape(
    {
        "deal": DealName(),
        "currency": Text(3, "ISO 4217; the deal’s own unless said."),
        "valid_until": Day("The last day on which it can be accepted, where the business is; 30 days unless said."),
        "title": Text(200, "What it is for; the deal’s title unless said."),
        "words": Text(4000, "A few words to the lead."),
        "terms": Text(8000, "What is agreed on, a line each; the business’s own unless said."),
        "lines": Rows(LINE, MOST_LINES),
    },
    required=["deal", "lines"],
    fixed={
        **dict.fromkeys(("id", "number", "version", "state", "sent_at", "url", "digest", "created_at"), KEPT),
        **dict.fromkeys(("before", "discount", "net", "tax", "taxes"), RECKONED),
    },
    ignored=dict.fromkeys(("total", "totals"), NO_MATTER),
)
SEND = Shape(
    {
        "mail": Flag("False mails nothing; pass the link on yourself."),
        "to": Text(254, "Who gets the link by mail; the lead’s own address unless said."),
    }
)
_TEXT = {"type": "string"}
_MOMENT = {"type": "string", "format": "date-time"}
PRODUCT_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        **dict.fromkeys(("name", "description", "tax_rate", "external_system", "external_id"), _TEXT),
        "prices": {"type": "object", "additionalProperties": _TEXT},
        "archived": {"type": "boolean"},
        "created_at": _MOMENT,
        "version": {"type": "integer"},
    },
}
QUOTE_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "deal": {"type": "string", "format": "uuid"},
        "number": {**_TEXT, "description": "Like Q-2026-0147; blank before it is sent."},
        "version": {"type": "integer"},
        "state": {"type": "string", "enum": State.values},
        **dict.fromkeys(("title", "words", "terms", "currency"), _TEXT),
        "valid_until": {"type": "string", "format": "date"},
        "lines": {"type": "array", "items": LINE.schema()},
        "totals": {
            "type": "object",
            "properties": {
                **dict.fromkeys(("before", "discount", "net", "tax", "total"), _TEXT),
                "taxes": {
                    "type": "array",
                    "items": {"type": "object", "properties": dict.fromkeys(("rate", "net", "tax"), _TEXT)},
                },
            },
        },
        "url": {**_TEXT, "description": "The lead’s page, for whoever has the address; blank before it is sent."},
        "digest": {**_TEXT, "description": "SHA-256 of what was sent."},
        "created_at": _MOMENT,
        "sent_at": {**_MOMENT, "nullable": True},
        "decided_at": {**_MOMENT, "nullable": True},
        **dict.fromkeys(("signed", "reason", "note"), _TEXT),
    },
}


def write_product(one: Product) -> dict[str, Any]:
    """Write one product whose prices are at hand."""
    return {
        "id": str(one.pk),
        "name": one.name,
        "description": one.description,
        "prices": {
            price.currency: text(price.amount, price.currency)
            for price in sorted(one.prices.all(), key=lambda price: price.currency)
        },
        "tax_rate": percent_text(one.tax_rate),
        "external_system": one.external_system,
        "external_id": one.external_id,
        "archived": one.archived_at is not None,
        "created_at": stamp(one.created_at),
        "version": one.version,
    }


def write_quote(quote: Quote, version: QuoteVersion, lines: list[QuoteLine], at: Any) -> dict[str, Any]:
    """Write a quote by its latest version."""

    def amount(minor: int) -> str | None:
        return text(minor, quote.currency)

    totals = reckon(lines)
    return {
        "id": str(quote.pk),
        "deal": str(quote.deal_id),
        "number": quote.name,
        "version": version.number,
        "state": str(version.state_at(at)),
        "title": version.title,
        "words": version.words,
        "terms": version.terms,
        "currency": quote.currency,
        "valid_until": version.valid_until.isoformat(),
        "lines": [
            {
                "text": one.text,
                "more": one.more,
                "product": str(one.product_id) if one.product_id else None,
                "quantity": quantity_text(one.quantity),
                "unit_price": amount(one.unit_price),
                "discount": percent_text(one.discount),
                "tax_rate": percent_text(one.tax_rate),
                "net": amount(one.net),
            }
            for one in lines
        ],
        "totals": {
            "before": amount(version.before),
            "discount": amount(version.before - version.net),
            "net": amount(version.net),
            "taxes": [
                {"rate": percent_text(rate), "net": amount(net), "tax": amount(tax)} for rate, net, tax in totals.taxes
            ],
            "tax": amount(version.tax),
            "total": amount(version.total),
        },
        "url": url_of(version),
        "digest": version.digest,
        "created_at": stamp(quote.made_at),
        "sent_at": stamp(version.sent_at),
        "decided_at": stamp(version.decided_at),
        "signed": version.signed,
        "reason": version.reason,
        "note": version.note,
    }
