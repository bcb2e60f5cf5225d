"""Whether a set of rules can be: every mistake with its place and a sentence."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from textwrap import shorten
from typing import Any

from funnel.leads.models import FieldDefinition
from funnel.outbox.kinds import KINDS
from funnel.scoring.models import BANDS
from funnel.scoring.rules import (
    CONDITIONS,
    STANDARD,
    choices_of,
    fits,
    is_day,
    is_dialled,
    is_number,
    labels_for,
    own_of,
    sentence,
)
from funnel.templatetags.words import plural

MOST_RULES, MOST_POINTS, MOST_CAP, MOST_LINE = 100, 300, 10_000, 30_000
SHORTEST, LONGEST = 1, 365
PATTERN, STARS = 120, 5
LONG = 100
UNFIT = {"range": "Only a number or a date lies between two others.", "contains": "Only a text contains something."}
Mistakes = dict[str, str]


def mistakes_of(rules: Mapping[str, Any], fields: Mapping[str, FieldDefinition]) -> Mistakes:
    """Give what is wrong with a set of rules: a sentence by place, like "fit.3.value"; empty when nothing is."""
    found: Mistakes = dict(_lines(rules))
    labels = labels_for(rules)
    for part in ("fit", "engagement"):
        if len(rules[part]) > MOST_RULES:
            found[part] = f"There are more than {MOST_RULES} rules; take some away."
        said: dict[str, int] = {}
        for place, rule in enumerate(rules[part]):
            wrong = rule_mistakes(rule, fields)
            found |= {f"{part}.{place}.{name}": says for name, says in wrong.items()}
            if (same := said.setdefault(_condition(rule), place)) != place and not wrong:
                first = rules[part][same]
                says = shorten(sentence(first, labels), LONG, placeholder="…")
                points = plural(first["points"], "point")
                found[f"{part}.{place}"] = f"“{says}” ({points}) asks the same, so both would count. Take one away."
    return found


def rule_mistakes(rule: Mapping[str, Any], fields: Mapping[str, FieldDefinition]) -> Mistakes:
    """What is wrong with one rule, by the name of its part."""
    found = dict(_over_field(rule, fields) if "field" in rule else _over_event(rule))
    points = rule["points"]
    if not points:
        found["points"] = "A rule without points changes nothing."
    elif abs(points) > MOST_POINTS:
        found["points"] = f"Give at most {MOST_POINTS} points, or take as many away."
    return found


def is_never_ready(rules: Mapping[str, Any]) -> bool:
    """Whether no cell of the grid is ready, so that only asking for contact hands anybody over."""
    return not any(rules["ready"].get(band) for band in BANDS)


def gaps_of(rules: Mapping[str, Any]) -> list[str]:
    """The cells that aren't ready though one of less fit or less engagement is, like "A4"."""
    cells = [(fit, band) for fit in range(len(BANDS)) for band in range(1, len(rules["engagement_cuts"]) + 2)]
    ready = [(fit, band) for fit, band in cells if band in rules["ready"].get(BANDS[fit], [])]
    return [
        f"{BANDS[fit]}{band}"
        for fit, band in cells
        if (fit, band) not in ready and any(fit <= worse and less <= band for worse, less in ready)
    ]


def _lines(rules: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not SHORTEST <= rules["half_life_days"] <= LONGEST:
        yield "half_life_days", f"Write a number of days from {SHORTEST} to {LONGEST}."
    fits = [(f"fit_{band.lower()}", f"Fit {band}", rules["fit_bands"][band]) for band in BANDS[-2::-1]]
    cuts = [(f"cut_{place}", f"Engagement {place}", cut) for place, cut in enumerate(rules["engagement_cuts"], 2)]
    if cuts[0][2] <= 0:
        yield cuts[0][0], f"{cuts[0][1]} begins above 0."
    for (_, below, low), (name, above, high) in [*itertools.pairwise(fits), *itertools.pairwise(cuts)]:
        if high <= low:
            yield name, f"{above} begins above {below}, so at more than {low:,}."
    for name, _, line in [*fits, *cuts]:
        if abs(line) > MOST_LINE:
            yield name, f"A line lies within {MOST_LINE:,} points."


def _over_field(rule: Mapping[str, Any], fields: Mapping[str, FieldDefinition]) -> Iterator[tuple[str, str]]:
    name, when = rule["field"], rule["when"]
    value: Any = rule.get("value") or ""
    own = own_of(name, fields)
    if own is None and name not in STANDARD:
        yield "field", "There is no field of this name; make it first."
        return
    if when not in CONDITIONS:
        yield "when", "Choose what the field is to be."
    elif not fits(when, name, own):
        yield "when", UNFIT.get(when, "Only an e-mail address is at a domain.")
    elif when in ("is", "contains") and not (isinstance(value, str) and 0 < len(value) <= 200):
        yield "value", "Write what to compare with, in up to 200 characters."
    elif when == "one_of" and not (isinstance(value, list) and 0 < len(value) <= 200):
        yield "value", "Write at least one value, one per line, and at most 200."
    elif when == "range":
        yield from _range(value or {}, own)
    elif when in ("is", "one_of") and (wrong := stranger([value] if when == "is" else value, own)):
        yield "value", wrong
    elif name == "phone" and when == "contains" and not is_dialled(value):
        yield "value", "Write digits of a phone number, like 01632 or +44."
    elif name == "phone" and when in ("is", "one_of"):
        other = next((one for one in ([value] if when == "is" else value) if not is_dialled(one, part=False)), "")
        if other:
            yield "value", f"“{other}” is no whole phone number. Write it with its area code, or choose “contains”."


def stranger(values: Iterable[str], own: FieldDefinition | None) -> str:
    """Say which of these values can never stand in a field of the business's own; blank where all can."""
    choices = choices_of(own)
    known = {one.casefold() for one in choices}
    for value in values:
        if choices and value.casefold() not in known:
            return f"“{value}” is none of its choices: {', '.join(choices)}."
        if wrong := _mismeasured(value, own):
            return wrong
    return ""


def _mismeasured(text: str, own: FieldDefinition | None) -> str:
    if own is not None and own.kind == FieldDefinition.Kind.DATE and not is_day(text):
        return "Write a date like 2026-11-17."
    if own is not None and own.kind == FieldDefinition.Kind.NUMBER and not is_number(text):
        return "Write a number, like 25 or 3.5."
    return ""


def _range(value: Mapping[str, str], own: FieldDefinition | None) -> Iterator[tuple[str, str]]:
    low, high = value.get("from", ""), value.get("to", "")
    order: Any = str if own is not None and own.kind == FieldDefinition.Kind.DATE else Decimal
    if not low and not high:
        yield "value", "Write from where, up to where, or both."
    elif wrong := next((wrong for end in (low, high) if end and (wrong := _mismeasured(end, own))), ""):
        yield "value", wrong
    elif low and high and order(low) > order(high):
        yield "value", "It ends before it begins, so nobody is in it."


def _over_event(rule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind, cap, page = rule["kind"], rule.get("cap"), rule.get("page") or ""
    known = KINDS.get(kind)
    if not kind or len(kind) > 40 or (known is not None and not known.touch):
        yield "kind", "Choose what they do."
    if cap is not None and not 0 < cap <= MOST_CAP:
        yield "cap", f"Write a number from 1 to {MOST_CAP:,}, or leave it empty."
    elif cap is not None and rule["points"] and cap < abs(rule["points"]):
        yield "cap", f"A day’s most is less than the {plural(abs(rule['points']), 'point')} of a single time."
    if len(page) > PATTERN or page.count("*") > STARS:
        yield "page", f"Use up to {PATTERN} characters, and * up to {STARS} times."
    elif page and not page.replace("*", "").strip():
        yield "page", "Write a part of the page’s address; with * alone every page counts."
    for name in ("channel", "campaign"):
        if len(rule.get(name) or "") > 120:
            yield name, "Use up to 120 characters."


def _condition(rule: Mapping[str, Any]) -> str:
    """What a rule asks, so that two that ask the same are found."""
    beside = ("key", "group", "reason", "points", "cap", "page")
    asked = {name: one for name, one in rule.items() if name not in beside and one}
    if rule.get("when") == "one_of":
        values = sorted({str(one).casefold() for one in rule.get("value") or ()})
        asked |= {"when": "is", "value": values[0]} if len(values) == 1 else {"value": values}
    # Of all that is compared, only a page's address is so with its case.
    return json.dumps(asked, sort_keys=True).casefold() + (rule.get("page") or "")
