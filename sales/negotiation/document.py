"""What a lead is offered, as data: one document that the page, the PDF and the proof are made of.

Frozen when a version is sent, so a new address or a renamed product changes nothing that was offered before. Decimals
stand as texts, so that everybody who writes the same offer gets the same bytes and the same SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from funnel.ledger.money import decimal, digits
from funnel.templatetags.words import NBSP, money
from funnel.workspaces.models import Workspace
from sales.negotiation.models import QuoteLine, QuoteVersion
from sales.negotiation.reckoning import before_discount, percent_text, quantity_text, reckon

FORMAT = 1
# What the tax on a sale is called where it isn't VAT.
TAX_NAMES = {"US": "Sales tax", "JP": "Consumption tax", **dict.fromkeys(("AU", "CA", "IN", "NZ", "SG"), "GST")}


def tax_name(workspace: Workspace) -> str:
    """What the tax on a sale is called in the business's country."""
    return TAX_NAMES.get(workspace.country, "VAT")


def document_of(version: QuoteVersion, at: datetime) -> dict[str, Any]:
    """The frozen document of a version that was sent; for a draft, what it would be now."""
    if version.document:
        frozen: dict[str, Any] = version.document
        return frozen
    return write(version, list(version.ordered_lines()), at)


def write(version: QuoteVersion, lines: Sequence[QuoteLine], at: datetime) -> dict[str, Any]:
    """Write a version down as it stands, with the business, the lead and the rep as they are now."""
    quote, deal = version.quote, version.quote.deal
    workspace: Workspace = deal.lead.workspace
    currency, totals = quote.currency, reckon(lines)

    def amount(minor: int) -> str:
        return format(decimal(minor, currency), "f")

    return {
        "format": FORMAT,
        "quote": quote.name,
        "version": version.number,
        "title": version.title,
        "date": workspace.local(at).date().isoformat(),
        "valid_until": version.valid_until.isoformat(),
        "ends_at": version.ends_at.astimezone(UTC).isoformat() if version.ends_at else "",
        "zone": workspace.time_zone,
        "from": {
            "business": workspace.name,
            "address": workspace.address,
            "tax_number": workspace.tax_number,
            "logo": workspace.logo,
            "brand": workspace.brand,
            "person": deal.holder.name,
            "email": deal.holder.email,
        },
        "to": {"name": deal.lead.name or str(deal.lead), "company": deal.lead.company_name},
        "words": version.words,
        "terms": [line.strip() for line in version.terms.splitlines() if line.strip()],
        "currency": currency,
        "tax_name": tax_name(workspace),
        "lines": [
            {
                "text": line.text,
                "more": line.more,
                "quantity": quantity_text(line.quantity),
                "unit_price": amount(line.unit_price),
                "discount": percent_text(line.discount),
                "tax_rate": percent_text(line.tax_rate),
                "before": amount(before_discount(line)),
                "net": amount(line.net),
            }
            for line in lines
        ],
        "before": amount(totals.before),
        "discount": amount(totals.discount),
        "net": amount(totals.net),
        "taxes": [
            {"rate": percent_text(rate), "net": amount(net), "tax": amount(tax)} for rate, net, tax in totals.taxes
        ],
        "tax": amount(totals.tax),
        "total": amount(totals.total),
    }


def canonical(document: dict[str, Any]) -> bytes:
    """The bytes that are hashed: JSON with sorted names, without spaces, in UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(document: dict[str, Any]) -> str:
    """The document's fingerprint."""
    return hashlib.sha256(canonical(document)).hexdigest()


# ── in words ─────────────────────────────────────────────────────────────


def in_words(document: dict[str, Any]) -> dict[str, Any]:
    """The document as people read it: money with its sign, days as days. For the page, the preview and the PDF."""
    currency = document["currency"]

    def said(amount: str) -> str:
        return money(int(Decimal(amount).scaleb(digits(currency))), currency, exact=True)

    until, on = date.fromisoformat(document["valid_until"]), date.fromisoformat(document["date"])
    discounted = [line for line in document["lines"] if line["discount"] != "0"]
    return document | {
        "date": f"{on.day} {on:%B %Y}",
        "short_date": f"{on.day} {on:%b %Y}",
        "until": f"{until:%a} {until.day} {until:%b %Y}",
        "until_long": f"{until:%A} {until.day} {until:%B %Y}",
        "place": document["zone"].rpartition("/")[2].replace("_", " "),
        "address_lines": [line.strip() for line in document["from"]["address"].splitlines() if line.strip()],
        "lines": [
            line
            | {
                "unit_price": said(line["unit_price"]),
                "discount": f"{line['discount']}{NBSP}%" if line["discount"] != "0" else "",
                "tax_rate": f"{line['tax_rate']}{NBSP}%",
                "net": said(line["net"]),
            }
            for line in document["lines"]
        ],
        "discounted": len(discounted),
        "discounted_text": discounted[0]["text"] if len(discounted) == 1 else "",
        "before": said(document["before"]),
        "discount": said(document["discount"]),
        "net": said(document["net"]),
        "taxes": [
            {"rate": f"{one['rate']}{NBSP}%", "net": said(one["net"]), "tax": said(one["tax"])}
            for one in document["taxes"]
        ],
        "tax": said(document["tax"]),
        "total": said(document["total"]),
        "for_whom": document["to"]["company"] or document["to"]["name"],
        "first_name": document["from"]["person"].split()[0] if document["from"]["person"] else "",
    }


def changed(now: dict[str, Any], before: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What a version changed: (what, then, now) in words, lines first; a line that is new or gone has a dash."""
    new, old = in_words(now), in_words(before)
    rows: list[tuple[str, str, str]] = []
    left = {_place(line, place): line for place, line in enumerate(old["lines"])}
    for place, line in enumerate(new["lines"]):
        was = left.pop(_place(line, place), None) or _first(left, line["text"])
        if was is None:
            rows.append((line["text"], "–", line["net"]))
            continue
        told = _line_words(line, was, now["tax_name"])
        if told:
            rows.append((line["text"], *told))
    rows += [(line["text"], line["net"], "–") for line in left.values()]
    if now["valid_until"] != before["valid_until"]:
        rows.append(("Valid until", old["until"], new["until"]))
    if now["terms"] != before["terms"]:
        rows.append(("What we agree on", "as it was", "changed"))
    if (now["total"], now["currency"]) != (before["total"], before["currency"]):
        rows.append((f"Total with {now['tax_name']}", old["total"], new["total"]))
    return rows


def _place(line: dict[str, Any], place: int) -> tuple[str, int]:
    return line["text"], place


def _first(left: dict[tuple[str, int], dict[str, Any]], text: str) -> dict[str, Any] | None:
    """Take the first remaining line of this text: its place may have moved."""
    key = next((key for key in left if key[0] == text), None)
    return left.pop(key) if key else None


def _line_words(line: dict[str, Any], was: dict[str, Any], tax_name: str) -> tuple[str, str] | None:
    """Then and now of a line that both versions have; None where nothing differs."""
    if line["net"] != was["net"]:
        return was["net"], line["net"]
    words = {"discount": " less", "tax_rate": f" {tax_name}"}
    for name in ("quantity", "unit_price", "discount", "tax_rate", "more"):
        if line[name] != was[name]:
            return f"{was[name] or '–'}{words.get(name, '')}", f"{line[name] or '–'}{words.get(name, '')}"
    return None
