"""What the rules of a version say, as pure functions over a lead and an event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from funnel.leads.identity import business_domain
from funnel.leads.models import Lead

DEFAULT = Path(__file__).parent / "sets" / "default.json"


def default_rules() -> dict[str, Any]:
    """The rule set that every business starts with, with its reasons."""
    rules: dict[str, Any] = json.loads(DEFAULT.read_text())
    return rules


def fit_rows(lead: Lead, rules: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """The fit rules that hold for a lead, each with the value that made it hold; their points add up to the fit."""
    rows = []
    for rule in rules["fit"]:
        value = str(getattr(lead, rule["field"]))
        if rule["when"] == "business":
            value = business_domain(value) if value else ""
        if value:
            rows.append((rule, value))
    return rows


def fit_of(lead: Lead, rules: dict[str, Any]) -> int:
    """The sum of the points of the fit rules that hold."""
    return sum(rule["points"] for rule, _ in fit_rows(lead, rules))


def fit_band(fit: int, rules: dict[str, Any]) -> str:
    """The fit band, A to D."""
    return next((band for band, line in rules["fit_bands"].items() if fit >= line), "D")


def allot(points: int, cap: int | None, count: int) -> list[int]:
    """What `count` events of one rule earn on one local day, in order, until the cap is used up."""
    earned, left = [], cap
    for _ in range(count):
        given = points if left is None else min(points, max(left, 0)) if points > 0 else points
        earned.append(given)
        if left is not None:
            left -= given
    return earned
