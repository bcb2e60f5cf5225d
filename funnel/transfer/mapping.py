"""Which column means what, and one row as a capture."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from funnel.leads.identity import Capture, Refused
from funnel.leads.stages import Stage
from funnel.workspaces.models import Member
from funnel.workspaces.refusals import Refusal

PLAIN = ("name", "email", "phone", "company", "external_id")
SOURCES = ("source.channel", "source.campaign", "source.placement")
STAGES = (Stage.CUSTOMER, Stage.NURTURING, Stage.LOST, Stage.DISQUALIFIED)
TARGETS = (*PLAIN, *SOURCES, "received_at", "stage", "holder")


class WrongMap(Refusal):
    """A map that doesn't fit, with the sentence that says where."""

    status = 400


@dataclass
class Row:
    """What one row says: the capture, and the place in the business that it claims for the lead."""

    capture: Capture
    stage: Stage | None = None
    holder: Member | None = None
    line: int = 0
    cells: list[str] = field(default_factory=list)


class Mapping:
    """{column: target} with "$blank" (texts that mean nothing) and "$values" ({column: {from: to}})."""

    def __init__(self, given: Any, header: list[str], *, zone: ZoneInfo, members: dict[str, Member]) -> None:
        if not isinstance(given, dict):
            raise WrongMap("The map is an object of columns and targets.")
        blank, values = given.get("$blank", []), given.get("$values", {})
        if not isinstance(blank, list) or not isinstance(values, dict):
            raise WrongMap("“$blank” is a list of texts, “$values” an object of columns.")
        if wrong := [column for column, pairs in values.items() if not isinstance(pairs, dict)]:
            raise WrongMap(f"“$values” gives “{wrong[0]}” no object of old and new values.")
        self.blank = {str(word).strip().casefold() for word in blank}
        self.values = {
            column: {str(old).strip().casefold(): str(new) for old, new in pairs.items()}
            for column, pairs in values.items()
        }
        self.zone, self.members, self.places = zone, members, dict[int, str]()
        for column, target in given.items():
            if column.startswith("$"):
                continue
            if column not in header:
                raise WrongMap(f"There is no column “{column}” in this file.")
            if target not in TARGETS and not (str(target).startswith("fields.") and str(target)[7:].strip()):
                raise WrongMap(f"“{column}” goes to “{target}”, which is no target.")
            if target in self.places.values():
                raise WrongMap(f"Two columns go to “{target}”.")
            self.places[header.index(column)] = target
        self.header = header
        strays = [column for column in self.values if column not in given]
        if strays:
            raise WrongMap(f"“$values” names “{strays[0]}”, which the map doesn’t use.")

    @property
    def fields(self) -> list[str]:
        """The custom fields that the map fills."""
        return [target[7:].strip() for target in self.places.values() if target.startswith("fields.")]

    def row(self, line: int, cells: list[str]) -> Row:
        """Read one row; raise Refused with a sentence per column."""
        if len(cells) > len(self.header) and any(cell.strip() for cell in cells[len(self.header) :]):
            raise Refused({"row": f"This row has {len(cells)} cells, the header {len(self.header)}."})
        if len(cells) < len(self.header) - 1:
            raise Refused({"row": f"This row has {len(cells)} cells, the header {len(self.header)}."})
        found, errors = {}, {}
        for place, target in self.places.items():
            value = self._value(place, cells)
            if not value:
                continue
            try:
                found[target] = self._read(target, value)
            except ValueError as wrong:
                errors[self.header[place]] = str(wrong)
        if found.get("holder") and found.get("stage") != Stage.CUSTOMER:
            errors["holder"] = "Only a customer comes with a holder."
        if errors:
            raise Refused(errors)
        capture = Capture(
            **{name: found.get(name, "") for name in PLAIN},
            **{name.removeprefix("source."): found.get(name, "") for name in SOURCES},
            occurred_at=found.get("received_at"),
            fields={target[7:].strip(): value for target, value in found.items() if target.startswith("fields.")},
            overwrite=True,
            silent_when_same=True,
            row_key=hashlib.sha256("\x1f".join(cell.strip() for cell in cells).encode()).hexdigest(),
        )
        return Row(capture, found.get("stage"), found.get("holder"), line, cells)

    def _value(self, place: int, cells: list[str]) -> str:
        value = cells[place].strip() if place < len(cells) else ""
        if value.casefold() in self.blank:
            return ""
        pairs = self.values.get(self.header[place], {})
        return pairs.get(value.casefold(), value).strip()

    def _read(self, target: str, value: str) -> Any:
        if target == "stage":
            if value not in STAGES:
                raise ValueError(f"“{value}” is no stage here; say customer, nurturing, lost or disqualified.")
            return Stage(value)
        if target == "holder":
            member = self.members.get(value.casefold())
            if member is None:
                raise ValueError(f"“{value}” is nobody’s e-mail address in this business.")
            return member
        if target == "received_at":
            return self._moment(value)
        return value

    def _moment(self, value: str) -> datetime:
        """An ISO date or moment; without an offset it is the business's own time."""
        try:
            if len(value) == 10:
                return datetime.combine(date.fromisoformat(value), time(), self.zone)
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"“{value}” is no date; write it like 2026-11-17 or 2026-11-17T10:42+00:00.") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)
