"""What the rules of a version say, as pure functions over a lead and an event.

A version's rules are {"name", "half_life_days", "fit_bands": {"A", "B", "C"}, "engagement_cuts": three lines, "ready":
{fit band: engagement bands}, "fit": rules over fields, "engagement": rules over events}. A rule over fields has field,
when (see `CONDITIONS`), value and points; one over events has kind, points, cap a day, and may have channel, campaign
and page. Both have key, group and reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

from funnel.leads.free_mail import FREE_MAIL, is_disposable
from funnel.leads.identity import Refused, business_domain, clean_phone
from funnel.leads.models import FieldDefinition, Lead, Source
from funnel.outbox.kinds import KINDS
from funnel.outbox.models import Event
from funnel.workspaces.slots import slot

SETS = Path(__file__).parent / "sets"
STANDARD = {"name": "Name", "email": "E-mail", "phone": "Phone", "company_name": "Company"}
OWN, FROM = "fields.", "channel."
# How a rule over a field reads after the field's name; {} is its value.
CONDITIONS = {
    "filled": "is known",
    "blank": "is not known",
    "is": "is {}",
    "one_of": "is one of {}",
    "contains": "contains “{}”",
    "range": "is {}",
    "business": "is at a domain of its own",
    "free_mail": "is a free-mail address",
    "disposable": "is a throw-away address",
}
OF_ADDRESSES = ("business", "free_mail", "disposable")
MEASURED = (FieldDefinition.Kind.NUMBER, FieldDefinition.Kind.DATE)


@cache
def _shipped() -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted(SETS.glob("*.json"))}


def shipped_sets() -> dict[str, dict[str, Any]]:
    """The rule sets to start from, each with its reasons, by key; "default" is the first of a new business."""
    return {key: json.loads(text) for key, text in _shipped().items()}


def default_rules() -> dict[str, Any]:
    """The rule set that every business starts with, with its reasons."""
    return shipped_sets()["default"]


def own_of(field: str, known: Mapping[str, FieldDefinition]) -> FieldDefinition | None:
    """What the business says of a field of its own; nothing for one that every lead has."""
    return known.get(field.removeprefix(OWN)) if field.startswith(OWN) else None


def fits(when: str, field: str, own: FieldDefinition | None) -> bool:
    """Whether this can be asked of a field; `own` is what the business says of it where it is one of its own."""
    if when in OF_ADDRESSES:
        return field == "email"
    if when == "range":
        return own is not None and own.kind in MEASURED
    return when != "contains" or own is None or own.kind not in (*MEASURED, FieldDefinition.Kind.YES_NO)


def choices_of(own: FieldDefinition | None) -> list[str]:
    """What alone can stand in a field that offers a choice; nothing where anything can."""
    if own is None:
        return []
    return ["Yes", "No"] if own.kind == FieldDefinition.Kind.YES_NO else [str(one) for one in own.choices]


def as_kept(text: str, own: FieldDefinition | None) -> str:
    """A typed value as leads have it, so that 50.0 finds 50; what can't stand in the field is left as it is."""
    if own is not None and own.kind == FieldDefinition.Kind.NUMBER:
        # 49,5 is read as 49.5; 1,000 could be two numbers, so it is left to be asked for again.
        text = re.sub(r",(?!\d{3}$)", ".", text)
        return format(Decimal(text).normalize(), "f") if is_number(text) else text
    return next((one for one in choices_of(own) if one.casefold() == text.casefold()), text)


def as_dialled(text: str, country: str, *, part: bool = False) -> str:
    """A typed phone number as leads have it: 01632 960142 is +441632960142; of `part` of one only the signs go.

    What is no number is left as it is.
    """
    if part:
        signs = re.sub(r"[\s()./-]", "", text)
        return signs if is_dialled(signs) else text
    try:
        return clean_phone(text, country)
    except Refused:
        return text


def is_dialled(text: str, *, part: bool = True) -> bool:
    """Whether a text is a phone number as leads have it, or could be `part` of one."""
    return re.fullmatch(r"\+?0*[1-9]\d{0,14}" if part else r"\+\d{5,15}", text, re.ASCII) is not None


def within(field: str, part: str) -> str:
    """What is looked for where a field contains `part`: leads' numbers have no 0 before the area code."""
    return part.lstrip("0") if field == "phone" else part.casefold()


def value_of(lead: Lead, field: str) -> Any:
    """What we know of a lead: a column, or one of the business's own fields; blank where we don't."""
    if field.startswith(OWN):
        return lead.fields.get(field[len(OWN) :], "")
    return getattr(lead, field)


def holds(rule: Mapping[str, Any], value: Any) -> bool:
    """Whether a rule over a field holds for its value; texts are compared without case."""
    when, told, known = rule["when"], rule.get("value"), value not in ("", None)
    if when in ("filled", "blank"):
        return known == (when == "filled")
    if not known:
        return False
    text = words_of(value).casefold()
    if when == "is":
        return text == str(told).casefold()
    if when == "one_of":
        return text in {str(one).casefold() for one in told or ()}
    if when == "contains":
        return within(rule["field"], str(told)) in text
    if when == "range":
        return _within(told or {}, str(value))
    if when == "business":
        return bool(business_domain(text))
    domain = text.rpartition("@")[2]
    return domain in FREE_MAIL if when == "free_mail" else is_disposable(domain)


def words_of(value: Any) -> str:
    """A field's value as a person reads it."""
    return {True: "Yes", False: "No"}[value] if isinstance(value, bool) else str(value)


def _within(told: Mapping[str, str], text: str) -> bool:
    """Whether a number or a day lies between `from` and `to`, both included; either may be open."""
    low, high = told.get("from", ""), told.get("to", "")
    try:
        if "-" in (low or high)[1:]:
            return (not low or text >= low) and (not high or text <= high)
        number = Decimal(text)
        return (not low or number >= Decimal(low)) and (not high or number <= Decimal(high))
    except InvalidOperation:
        return False


def fit_rows(lead: Lead, rules: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """The fit rules that hold for a lead, each with the value that made it hold; their points add up to the fit."""
    rows = []
    for rule in rules["fit"]:
        value = value_of(lead, rule["field"])
        if holds(rule, value):
            rows.append((rule, business_domain(str(value)) if rule["when"] == "business" else words_of(value)))
    return rows


def fit_of(lead: Lead, rules: dict[str, Any]) -> int:
    """The sum of the points of the fit rules that hold."""
    return sum(rule["points"] for rule in rules["fit"] if holds(rule, value_of(lead, rule["field"])))


def fit_band(fit: int, rules: dict[str, Any]) -> str:
    """The fit band, A to D."""
    return next((band for band, line in rules["fit_bands"].items() if fit >= line), "D")


def earns(rule: Mapping[str, Any], event: Event, source: Source | None) -> bool:
    """Whether an event earns the points of a rule."""
    if event.kind != rule["kind"]:
        return False
    if rule.get("page") and not on_page(rule["page"], str(event.data.get("page") or "")):
        return False
    return not has_source(rule) or (source is not None and comes_from(rule, source))


def has_source(rule: Mapping[str, Any]) -> bool:
    """Whether a rule asks where somebody came from."""
    return bool(rule.get("channel") or rule.get("campaign"))


def comes_from(rule: Mapping[str, Any], source: Source) -> bool:
    """Whether a source is the one that a rule asks for, however a link or an integration spells its names."""
    return all(
        not rule.get(name) or as_named(str(rule[name])) == as_named(getattr(source, name))
        for name in ("channel", "campaign")
    )


def as_named(name: str) -> str:
    """The name of a channel or a campaign as it is compared: "paid_search" and "Paid search" are one."""
    return " ".join(name.casefold().replace("-", " ").replace("_", " ").split())


def on_page(pattern: str, address: str) -> bool:
    """Whether an address holds the pattern, whose * stands for anything; one walk through it, whatever the pattern."""
    place = 0
    for part in pattern.split("*"):
        found = address.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return True


def allot(points: int, cap: int | None, count: int) -> list[int]:
    """What `count` events of one rule earn on one local day, in order, until the cap (a size) is used up."""
    if cap is None:
        return [points] * count
    sign, size = (-1, -points) if points < 0 else (1, points)
    return [sign * max(0, min(size, cap - size * place)) for place in range(count)]


def sentence(rule: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> str:
    """A rule in words: "Phone is known", "Opened a page with “/prices”, from flyer"."""
    if "field" in rule:
        names = {**STANDARD, **(labels or {})}
        return f"{names.get(rule['field']) or rule['field'].removeprefix(OWN)} {_condition(rule)}"
    kind = KINDS.get(rule["kind"])
    said = kind.label if kind else str(rule["kind"]).replace("_", " ").capitalize()
    if rule.get("page"):
        said += f" with “{rule['page']}”"
    channel, campaign = (str(rule.get(name) or "") for name in ("channel", "campaign"))
    channel = (labels or {}).get(FROM + as_named(channel)) or channel.replace("_", " ")
    origin = [one for one in (channel, campaign.replace("_", " ")) if one]
    return f"{said}, from {', '.join(origin)}" if origin else said


def _condition(rule: Mapping[str, Any]) -> str:
    told = rule.get("value")
    if rule["when"] == "one_of":
        told = ", ".join(f"“{one}”" if "," in str(one) else str(one) for one in told or ())
    elif rule["when"] == "range":
        low, high = (told or {}).get("from", ""), (told or {}).get("to", "")
        more = "later" if is_day(low) else "more"
        low, high = _read(low), _read(high)
        told = f"{low} to {high}" if low and high else f"{low} or {more}" if low else f"up to {high}"
    return CONDITIONS[rule["when"]].format(told)


def _read(text: str) -> str:
    """A day as a person reads it; anything else as it stands."""
    if not is_day(text):
        return text
    on = date.fromisoformat(text)
    return f"{on.day} {on:%b %Y}"


def labels_for(rules: Mapping[str, Any]) -> dict[str, str]:
    """How the business calls its own fields and its channels in these rules; asks only where there are any."""
    labels: dict[str, str] = {}
    if any(rule["field"].startswith(OWN) for rule in rules["fit"]):
        labels |= {OWN + name: label for name, label in FieldDefinition.objects.values_list("name", "label")}
    if any(rule.get("channel") for rule in rules["engagement"]):
        labels |= {FROM + as_named(key): name for origins in slot("origins") for key, name in origins()[0]}
    return labels


def is_number(text: str) -> bool:
    """Whether a text is a number like 25 or -3.5, in digits that nobody reads otherwise."""
    return re.fullmatch(r"-?\d{1,15}(\.\d{1,9})?", text, re.ASCII) is not None


def is_day(text: str) -> bool:
    """Whether a text is a day like 2026-11-17."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
