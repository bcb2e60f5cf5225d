"""A set of rules as a page shows it: sentences with points, the grid and its lines, and what a draft changes."""

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
    labels = labels_for({"fit": [*says["fit"], *known["fit"]]})
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
                        "ready": (ready := place in says["ready"].get(band, [])),
                        "new": ready != (place in known["ready"].get(band, [])),
                        "people": None,
                    }
                    for place in range(1, len(cuts) + 1)
                ],
            }
            for band in BANDS
        ],
    }


def changes(told: dict[str, Any]) -> int:
    """How many things are marked as changed in what is shown."""
    rows = [rule for part in told["parts"].values() for group in part["groups"] for rule in group["rules"]]
    return (
        sum(bool(rule["was"]) for rule in rows)
        + sum(bool(part["was"]) + part["moved"] for part in told["parts"].values())
        + sum(cell["new"] for row in told["grid"] for cell in row["cells"])
    )


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


def _part(part: str, says: dict[str, Any], before: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    """The rules of a part under their headings, those taken away at their earlier place, and its bands."""
    known = {rule["key"]: rule for rule in before[part]}
    mine = [rule["key"] for rule in says[part]]
    rows = [{**rule, "was": _was(rule, known.get(rule["key"])), "gone": False} for rule in says[part]]
    for place, rule in enumerate(before[part]):
        if rule["key"] not in mine:
            rows.insert(place, {**rule, "was": "taken away", "gone": True})
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        row["says"] = sentence(row, labels)
        if row["was"] not in ("", "new", "taken away"):
            row["before"] = _told(known[row["key"]], row, part, labels)
        groups.setdefault(row.get("group") or HEADS[part], []).append(row)
    now, then = _lines(part, says), _lines(part, before)
    return {
        "name": part,
        "groups": [{"head": head, "rules": listed} for head, listed in groups.items()],
        "lines": now,
        "was": then if then != now else "",
        "moved": [key for key in mine if key in known] != [key for key in known if key in mine],
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
    if (before.get("group") or "") != (now.get("group") or ""):
        says += f", under “{before.get('group') or HEADS[part]}”"
    if (before.get("reason") or "") != (now.get("reason") or ""):
        says += f". {before.get('reason') or 'No reason is written down.'}"
    return says
