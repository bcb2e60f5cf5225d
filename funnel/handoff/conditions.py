"""When a routing rule holds: conditions over what is known of a lead, as pure functions, and in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from funnel.leads.models import FieldDefinition, Lead
from funnel.scoring import rules as scoring
from funnel.scoring.checking import stranger
from funnel.scoring.models import BANDS

Condition = dict[str, Any]
# What every business knows of a lead, in words; its own fields come under "fields." and their name.
STANDARD = {
    "channel": "The channel",
    "campaign": "The campaign",
    "fit": "The fit",
    "company_name": "The company",
    "name": "The name",
    "email": "The e-mail",
    "phone": "The phone number",
}
IS = {
    "one_of": "is one of",
    "not_one_of": "is none of",
    "contains": "contains one of",
    "at_least": "is at least",
    "at_most": "is at most",
    "filled": "is known",
    "blank": "is not known",
}
UNARY = ("filled", "blank")
LISTED = ("one_of", "not_one_of")
MOST_VALUES, LONGEST = 40, 120


def known(lead: Lead, field: str, fit_band: str) -> str:
    """What is known of a lead under a field's name, as a text; blank where nothing is. Its source must be loaded."""
    if field == "fit":
        return fit_band
    if field in ("channel", "campaign"):
        value = str(getattr(lead.source, field))
        return "" if value.casefold() == "unknown" else value
    if field.startswith("fields."):
        value = lead.fields.get(field.removeprefix("fields."), "")
        return ("yes" if value else "no") if isinstance(value, bool) else str(value)
    return str(getattr(lead, field))


def holds(condition: Condition, value: str) -> bool:
    """Whether a condition holds for a value; texts are compared without case, what is not known is no number."""
    field, how, wanted = condition["field"], condition["is"], condition.get("value", [])
    if how in UNARY:
        return bool(value) == (how == "filled")
    if how in LISTED:
        return (plain(field, value) in {plain(field, one) for one in wanted}) == (how == "one_of")
    if how == "contains":
        words = (scoring.within(field, plain(field, one)) for one in wanted)
        return any(word and word in plain(field, value) for word in words)
    mine, line = _size(field, value), _size(field, wanted[0])
    if mine is None or line is None or type(mine) is not type(line):
        return False
    return mine >= line if how == "at_least" else mine <= line  # type: ignore[operator]


def plain(field: str, value: str) -> str:
    """A text as it is compared: without case, and a source's name however a link or an integration spells it."""
    if field not in ("channel", "campaign"):
        return value.casefold()
    return scoring.as_named(value)


def all_hold(conditions: Sequence[Condition], lead: Lead, fit_band: str) -> bool:
    """Whether every condition holds for a lead."""
    return all(holds(one, known(lead, one["field"], fit_band)) for one in conditions)


def _size(field: str, value: str) -> Decimal | date | None:
    """A number or a day, as the business's own fields keep them; of the fit bands A is most."""
    if field == "fit":
        return Decimal(-BANDS.index(value)) if value in BANDS else None
    try:
        number = Decimal(value)
        return number if number.is_finite() else None
    except InvalidOperation:
        pass
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def labels(own: Sequence[FieldDefinition]) -> dict[str, str]:
    """Every field that a condition can ask for, with its name in words."""
    return STANDARD | {f"fields.{one.name}": one.label for one in own}


def in_words(conditions: Sequence[Condition], names: Mapping[str, str], channels: Mapping[str, str]) -> str:
    """The conditions as the middle of a sentence: “the channel is Radio or TV and Region is Scotland”."""
    return " and ".join(_one(condition, names, channels) for condition in conditions)


def _within(field: str, names: Mapping[str, str]) -> str:
    """How a field is called within a sentence."""
    name = names.get(field, field.removeprefix("fields."))
    return name[:1].lower() + name[1:] if field in STANDARD else name


def _one(condition: Condition, names: Mapping[str, str], channels: Mapping[str, str]) -> str:
    field, how = condition["field"], condition["is"]
    name = _within(field, names)
    if how in UNARY:
        return f"{name} {IS[how]}"
    values = condition["value"]
    if field == "channel":
        values = [channels.get(one, one) for one in values]
    if field == "fit" and how in ("at_least", "at_most"):
        return f"{name} is {values[0]} or {'better' if how == 'at_least' else 'worse'}"
    verb = {"one_of": "is", "not_one_of": "is not", "contains": "contains"}.get(how, IS[how])
    return f"{name} {verb} {' or '.join(values)}"


def fits(how: str, field: str, own: FieldDefinition | None) -> bool:
    """Whether this can be asked of a field; `own` is what the business says of it where it is one of its own."""
    if how in ("at_least", "at_most"):
        return field == "fit" or scoring.fits("range", field, own)
    if field in ("fit", "channel") and how == "contains":
        return False
    return scoring.fits(how, field, own)


def values_of(field: str, own: FieldDefinition | None) -> list[str]:
    """The only values that a field can have; empty where it can have any, or where others know them."""
    return [*BANDS] if field == "fit" else scoring.choices_of(own)


def faults(
    conditions: Sequence[Condition],
    own: Sequence[FieldDefinition],
    *,
    channels: Mapping[str, str],
    campaigns: Collection[str],
) -> dict[int, str]:
    """What is wrong with conditions, a sentence by place: unknown fields or values, missing values, contradictions.

    `channels` are all that there are, names by key; `campaigns` those that there are of the named ones, by plain().
    """
    if not conditions:
        return {0: "Say when this rule holds. Without a condition everybody would go there."}
    names, kinds = labels(own), {f"fields.{one.name}": one for one in own}
    found = {
        place: wrong
        for place, one in enumerate(conditions)
        if (wrong := _fault(one, names, kinds.get(one["field"])) or _stranger(one, channels, campaigns))
    }
    if found:
        return found
    last = {one["field"]: place for place, one in enumerate(conditions)}
    return {
        place: f"{names[field]} {wrong}"
        for field, place in last.items()
        if (wrong := _clash(field, [c for c in conditions if c["field"] == field]))
    }


def _fault(one: Condition, names: Mapping[str, str], own: FieldDefinition | None) -> str:
    field, how, values = one["field"], one["is"], one.get("value", [])
    if field not in names:
        return f"There is no field “{field.removeprefix('fields.')}” any more."
    name = names[field]
    if how not in IS:
        return f"Choose what {_within(field, names)} should be."
    if how in UNARY:
        return ""
    if not fits(how, field, own):
        if how == "contains":
            return f"{name} contains no words; choose what it is."
        return f"{name} is no number and no day, so it can’t be at least or at most something."
    if not values:
        return f"Say what {_within(field, names)} is compared with."
    if len(values) > MOST_VALUES or any(len(value) > LONGEST for value in values):
        return f"{name} is compared with too much: {MOST_VALUES} values of {LONGEST} characters at most."
    if how in ("at_least", "at_most") and len(values) > 1:
        return f"{name} takes a single value here; write only one."
    if how != "contains" and field == "fit" and (strange := [value for value in values if value not in BANDS]):
        return f"{name} is never “{strange[0]}”: it is {', '.join(BANDS)}."
    if how != "contains" and (wrong := stranger(values, own)):
        return f"{name}: {wrong}"
    return ""


def _stranger(one: Condition, channels: Mapping[str, str], campaigns: Collection[str]) -> str:
    """Which channel or campaign of a condition there is none of; blank where there are all."""
    field, values = one["field"], one.get("value", []) if one["is"] in LISTED else []
    if field == "channel":
        strange = next((value for value in values if value not in channels), None)
        return f"There is no channel “{strange}”. There are {', '.join(channels.values())}." if strange else ""
    if field == "campaign":
        strange = next((value for value in values if plain(field, value) not in campaigns), None)
        return f"There is no campaign “{strange}”. Write the name of one on the page Campaigns." if strange else ""
    return ""


def _clash(field: str, conditions: Sequence[Condition]) -> str:
    """Why the conditions on one field can't all hold, blank where they can."""
    by: dict[str, list[list[str]]] = {}
    for one in conditions:
        by.setdefault(one["is"], []).append(one.get("value", []))
    if "blank" in by and set(by) - {"blank", "not_one_of"}:
        return "can’t be unknown and something else at once, so this rule would never hold."
    size: Any = partial(_size, field)
    least = max((value[0] for value in by.get("at_least", ())), key=size, default="")
    most = min((value[0] for value in by.get("at_most", ())), key=size, default="")
    if least and most and size(least) > size(most):
        return f"can’t be at least {least} and at most {most} at once, so this rule would never hold."
    if "one_of" in by:
        left = {one.casefold(): one for one in by["one_of"][0]}
        others = [one for one in conditions if one.get("value") is not by["one_of"][0]]
        if not any(all(holds(one, word) for one in others) for word in left.values()):
            return "can’t be all of this at once, so this rule would never hold."
    return ""


def covers(first: Sequence[Condition], second: Sequence[Condition]) -> bool:
    """Whether whatever meets all of `second` meets all of `first` too, as far as the conditions themselves tell."""
    return all(any(_implies(known, asked) for known in second) for asked in first)


def _implies(known: Condition, asked: Condition) -> bool:
    """Whether what meets one condition must meet another."""
    if known["field"] != asked["field"]:
        return False
    how, values = known["is"], known.get("value", [""])
    if how in ("one_of", "blank"):
        return all(holds(asked, one) for one in values)
    if asked["is"] == "filled":
        return how != "not_one_of"
    if how != asked["is"]:
        return False
    if how == "not_one_of":
        return not any(holds(known, one) for one in asked["value"])
    return how == "filled" or all(holds(asked, one) for one in values)
