"""A set of rules as a page shows it: sentences with points, the grid and its lines, and what it changes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from funnel.scoring.models import BANDS
from funnel.scoring.rules import labels_for, sentence
from funnel.templatetags.words import number, plural

HEADS = {"fit": "We count", "engagement": "They"}


def shown(says: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Both parts, the bands in words and the grid; with what each was `before`, where that is told."""
    known = before or says
    labels = labels_for({part: [*says[part], *known[part]] for part in ("fit", "engagement")})
    fit, cuts = _fit_spans(says["fit_bands"]), _spans(says["engagement_cuts"])
    return {
        "name": says["name"],
        "for": says.get("for", ""),
        "parts": {part: _part(part, says, known, labels) for part in HEADS},
        "cuts": list(enumerate(cuts, 1)),
        "grid": [
            {
                "fit": band,
                "span": fit[band],
                "cells": [
                    {
                        "band": place,
                        "name": f"{band}{place}",
                        "ready": (ready := _is_ready(says, band, place)),
                        "new": ready != _is_ready(known, band, place),
                        "people": None,
                    }
                    for place in range(1, len(cuts) + 1)
                ],
            }
            for band in BANDS
        ],
    }


def heading(part: str, rule: dict[str, Any]) -> str:
    """What a rule stands under: its own heading, else that of its part."""
    return rule.get("group") or HEADS[part]


def dashed(told: dict[str, Any]) -> bool:
    """Whether `shown` marks any cell of the grid as changed."""
    return any(cell["new"] for row in told["grid"] for cell in row["cells"])


def changes(says: dict[str, Any], before: dict[str, Any]) -> dict[str, int]:
    """How many things `shown` marks as changed, of each kind."""
    marks = [row["was"] for part in HEADS for row in _rows(part, says, before)]
    new, gone = marks.count("new"), marks.count("taken away")
    cells = [(band, place) for band in BANDS for place in range(1, len(says["engagement_cuts"]) + 2)]
    return {
        "new": new,
        "changed": sum(map(bool, marks)) - new - gone,
        "taken away": gone,
        "the bands of fit": _lines("fit", says) != _lines("fit", before),
        "the bands of engagement": says["engagement_cuts"] != before["engagement_cuts"],
        "how fast engagement fades": says["half_life_days"] != before["half_life_days"],
        "the order": sum(_is_moved(part, says, before) for part in HEADS),
        "the grid": sum(_is_ready(says, *cell) != _is_ready(before, *cell) for cell in cells),
    }


def stand_alike(says: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether everybody stands in the same cell by both: only ready cells, order, headings or reasons are others."""

    def judging(rules: dict[str, Any]) -> list[Any]:
        beside = ("group", "reason")
        parts = [
            {rule["key"]: {k: v for k, v in _filled(rule).items() if k not in beside} for rule in rules[part]}
            for part in HEADS
        ]
        return [rules[name] for name in ("half_life_days", "fit_bands", "engagement_cuts")] + parts

    return judging(says) == judging(before)


def in_short(says: dict[str, Any], before: dict[str, Any]) -> str:
    """What a version changed: "3 new, 2 changed, 1 taken away; the grid"; its set's name only where that is another."""
    many = changes(says, before)
    rules = [f"{number(many[what])} {what}" for what in ("new", "changed", "taken away") if many[what]]
    beside = [what for what, count in many.items() if what not in ("new", "changed", "taken away") and count]
    told = "; ".join(", ".join(part) for part in (rules, beside) if part)
    if says["name"] == before["name"]:
        return told.capitalize() or says["name"]
    return f"{says['name']}: {told}" if told else says["name"]


def _spans(cuts: list[float]) -> list[str]:
    """The engagement bands in words: under 10, 10 to 25, 25 to 50, 50 and more."""
    between = [f"{number(low)} to {number(high)}" for low, high in pairwise(cuts)]
    return [f"under {number(cuts[0])}", *between, f"{number(cuts[-1])} and more"]


def _fit_spans(bands: dict[str, int]) -> dict[str, str]:
    """The fit bands in words: 70 and more, 50 to 69, 25 to 49, under 25."""
    words, above = {}, None
    for band, line in bands.items():
        low, high = number(line), number((above or 0) - 1)
        words[band] = f"{low} and more" if above is None else low if low == high else f"{low} to {high}"
        above = line
    return words | {"D": f"under {number(above or 0)}"}


def _is_ready(rules: dict[str, Any], band: str, place: int) -> bool:
    return place in rules["ready"].get(band, [])


def _is_moved(part: str, says: dict[str, Any], before: dict[str, Any]) -> bool:
    """Whether the rules that both have stand in another order."""
    mine, known = ([rule["key"] for rule in rules[part]] for rules in (says, before))
    return [key for key in mine if key in known] != [key for key in known if key in mine]


def _rows(part: str, says: dict[str, Any], before: dict[str, Any]) -> list[dict[str, Any]]:
    """The rules of a part with what each was before, those taken away at their earlier place."""
    known = {rule["key"]: rule for rule in before[part]}
    mine = {rule["key"] for rule in says[part]}
    rows = [{**rule, "was": _was(rule, known.get(rule["key"])), "gone": False} for rule in says[part]]
    for place, rule in enumerate(before[part]):
        if rule["key"] not in mine:
            rows.insert(place, {**rule, "was": "taken away", "gone": True})
    return rows


def _part(part: str, says: dict[str, Any], before: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    """The rules of a part under their headings, and its bands."""
    known = {rule["key"]: rule for rule in before[part]}
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(part, says, before):
        row["says"] = sentence(row, labels)
        if row["was"] not in ("", "new", "taken away"):
            row["before"] = _told(known[row["key"]], row, part, labels)
        groups.setdefault(heading(part, row), []).append(row)
    for listed in groups.values():
        there = [row for row in listed if not row["gone"]]
        for place, row in enumerate(there, 1):
            row |= {"first": place == 1, "last": place == len(there)}
    now, then = _lines(part, says), _lines(part, before)
    return {
        "name": part,
        "groups": [{"head": head, "rules": listed} for head, listed in groups.items()],
        "lines": now,
        "was": then if then != now else "",
        "moved": _is_moved(part, says, before),
    }


def _lines(part: str, rules: dict[str, Any]) -> str:
    """Where the bands of a part begin, and how fast its points fade."""
    spans = _fit_spans(rules["fit_bands"]).items() if part == "fit" else enumerate(_spans(rules["engagement_cuts"]), 1)
    half_life = plural(rules["half_life_days"], "day")
    fades = "Does not fade" if part == "fit" else f"Points lose half their value every {half_life}"
    return f"{fades}. {', '.join(f'{band} is {span}' for band, span in spans)}."


def _was(rule: dict[str, Any], before: dict[str, Any] | None) -> str:
    """What is to be said of a rule beside what is in force, in a word or two; blank where nothing is."""
    if before is None:
        return "new"
    if rule["points"] != before["points"]:
        return f"was {number(before['points'])}"
    if (rule.get("cap") or 0) != (before.get("cap") or 0):
        return f"most {number(before['cap'])} a day before" if before.get("cap") else "no limit before"
    return "" if _filled(rule) == _filled(before) else "changed"


def _filled(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule without what is left blank, which one that was never edited doesn't have at all."""
    return {name: value for name, value in rule.items() if value not in ("", None)}


def _told(before: dict[str, Any], now: dict[str, Any], part: str, labels: dict[str, str]) -> str:
    """All that a changed rule says in force; heading and reason only where they are others."""
    says = f"{sentence(before, labels)}: {plural(before['points'], 'point')}"
    if before.get("cap"):
        says += f", at most {number(before['cap'])} a day"
    if heading(part, before) != heading(part, now):
        says += f", under “{heading(part, before)}”"
    if (before.get("reason") or "") != (now.get("reason") or ""):
        says += f". {before.get('reason') or 'No reason is written down.'}"
    return says
