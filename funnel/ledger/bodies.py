"""What bodies of the API say of money, and how it is read."""

from __future__ import annotations

from typing import Any

from funnel.api.shapes import DayOrMoment, Invalid, Text
from funnel.leads.identity import LENGTHS
from funnel.ledger.money import read_amount, read_currency
from funnel.workspaces.models import Workspace

MONEY = {
    "amount": Text(20, "A decimal with at most the currency’s digits, like 1200.50.", numbers=True),
    "currency": Text(3, "ISO 4217, like EUR; the business’s own unless said."),
}
BOOKED = {
    **MONEY,
    "occurred_at": DayOrMoment("A day on the business’s clock or a moment with its offset; now unless said."),
    "what": Text(200, "What it was for."),
    "external_system": Text(LENGTHS["external_system"]),
    "external_id": Text(LENGTHS["external_id"], "A known one answers 200 and changes nothing.", numbers=True),
}


def money_of(given: dict[str, Any], workspace: Workspace, *, least: int = 0) -> tuple[int, str]:
    """Amount in minor units and currency; raise Invalid for what can't be booked."""
    errors: dict[str, str] = {}
    currency, amount = workspace.currency, 0
    try:
        if given.get("currency"):
            currency = read_currency(given["currency"])
    except ValueError as wrong:
        errors["currency"] = str(wrong)
    try:
        amount = read_amount(given["amount"].strip(), currency, least=least)
    except ValueError as wrong:
        errors["amount"] = str(wrong)
    if errors:
        raise Invalid(errors)
    return amount, currency


def external_of(given: dict[str, Any]) -> tuple[str, str]:
    """System and id of a row in another system; raise Invalid for a system alone."""
    system, name = (" ".join(given.get(part, "").split()) for part in ("external_system", "external_id"))
    if system and not name:
        raise Invalid({"external_system": "Send external_id with it."})
    return system, name
