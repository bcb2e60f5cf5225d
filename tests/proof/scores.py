"""The versions of the rules in the model, and what a person is worth by them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.proof.people import DAY, Act, Person


class Rules:
    """The versions of the rules, and by which one each event has its points."""

    def __init__(self, first: dict[str, Any], zone: ZoneInfo) -> None:
        self.zone = zone
        self.number, self.versions = 1, {1: first}
        self.by: dict[int, int] = {}
        self.left: dict[int, dict[int, int]] = {}

    @property
    def now(self) -> dict[str, Any]:
        return self.versions[self.number]

    def publish(self, rules: dict[str, Any], how: str, back_to: int, *, acts: Iterable[Act] = ()) -> None:
        """Put a version in force: `now` on, judging the past `again`, or going `back`.

        What judges the past takes those of all `acts` along whose own turn hasn't come yet.
        """
        waits = [one for one in acts if not one.gone and one.pk not in self.by]
        self.left[self.number] = dict(self.by)
        self.number += 1
        self.versions[self.number] = rules
        if how == "again":
            self.by = dict.fromkeys([*self.by, *(one.pk for one in waits)], self.number)
        elif how == "back":
            self.by = {pk: self.left[back_to].get(pk, self.number) for pk in [*self.by, *(one.pk for one in waits)]}

    def score(self, act: Act) -> None:
        """An event gets its points, by what is in force unless it has them already."""
        self.by.setdefault(act.pk, self.number)

    def engagement(self, person: Person, at: datetime) -> float:
        """What the points of a person are worth at a moment: each fades by the half-life in force."""
        days: dict[Any, list[Act]] = defaultdict(list)
        for act in person.acts:
            if act.gone or act.pk not in self.by:
                continue
            for rule in self.versions[self.by[act.pk]]["engagement"]:
                if rule["kind"] == act.kind:
                    day = act.moment.astimezone(self.zone).date()
                    days[self.by[act.pk], rule["key"], day].append(act)
        total = 0.0
        for (version, key, _), acts in days.items():
            rule = next(one for one in self.versions[version]["engagement"] if one["key"] == key)
            left = rule.get("cap") or 10**6
            for act in sorted(acts, key=lambda one: (one.moment, one.pk)):
                points = min(rule["points"], left)
                left -= points
                total += points * 2 ** -((at - act.moment) / DAY / self.now["half_life_days"])
        return total

    def fit(self, person: Person) -> str:
        """The fit band."""
        points = sum(
            rule["points"]
            for rule in self.now["fit"]
            if (f"{rule['field']}:business" if rule["when"] == "business" else rule["field"]) in person.known
        )
        return next((band for band, line in self.now["fit_bands"].items() if points >= line), "D")

    def ready(self, person: Person, at: datetime, kinds: Iterable[str] | None = None) -> bool:
        """Whether a person may be offered: by their own way back, else by the grid."""
        way = person.way or {}
        if kinds is not None and way.get("way") == "engagement":
            return self.engagement(person, at) >= way["above"]
        if kinds is not None and way.get("way") == "touch":
            return way["touch"] in kinds
        band = 1 + sum(self.engagement(person, at) >= cut for cut in self.now["engagement_cuts"])
        return band in self.now["ready"].get(self.fit(person), [])
