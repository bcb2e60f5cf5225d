"""Which column means what, and one row as a capture."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from funnel.leads import fields
from funnel.leads.identity import Capture, Refused
from funnel.leads.models import Suppression
from funnel.leads.stages import Stage
from funnel.transfer.reading import FAULTY
from funnel.workspaces.models import Member
from funnel.workspaces.refusals import Refusal

PLAIN = ("name", "email", "phone", "company", "external_id")
HALVES = ("first_name", "last_name")
SOURCES = ("source.channel", "source.campaign", "source.placement")
STAGES = (Stage.CUSTOMER, Stage.NURTURING, Stage.LOST, Stage.DISQUALIFIED)
# Of these several columns may speak, and one that says so is enough.
NO_MAIL = {"bounced": Suppression.Why.BOUNCED, "no_mail": Suppression.Why.UNSUBSCRIBED}
WHEN = ("received_at", "customer_since")
# "customer_holder" is a holder that counts for customers alone; with "holder" it refuses the row of anybody else.
TARGETS = (*PLAIN, *HALVES, *SOURCES, *NO_MAIL, *WHEN, "stage", "holder", "customer_holder")
SETTINGS = ("$blank", "$values", "$dates", "$about", "$stage", "$source", "$system")
ORDERS = {"dmy": (2, 1, 0), "mdy": (2, 0, 1), "ymd": (0, 1, 2)}
LIKE = {"dmy": "17/11/2026", "mdy": "11/17/2026", "ymd": "2026-11-17 or 2026-11-17T10:42+00:00"}
ISO = re.compile(r"\d{4}-\d{2}-\d{2}")
DATE = re.compile(
    r"(\d{1,4})\s?[./ -]\s?(\d{1,2})\s?[./ -]\s?(\d{1,4})"
    r"(?:,?[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(am|pm)?)?",
    re.IGNORECASE,
)
# What other programs write where somebody must not be mailed, and where nothing speaks against it.
MUST_NOT = frozenset(("unsubscribed", "opted out", "bounced", "cleaned"))
YES = MUST_NOT | fields.YES | {"y", "x", "ja", "oui", "si", "sí"}
NO = fields.NO | {"n", "nein", "non", "subscribed", "opted in", "active", "confirmed", "unconfirmed"}
# What a spreadsheet would run as a formula; our own files carry it behind an apostrophe.
FORMULA = re.compile("['’]?[=+\\-@\t\r＝＋－＠]")
LONGEST_FIELD = 60


class WrongMap(Refusal):
    """A map that doesn't fit, with the sentence that says where."""

    status = 400


@dataclass(slots=True)
class Row:
    """What one row says; `errors` holds a sentence per column that can't be read."""

    capture: Capture
    errors: dict[str, str]
    no_mail: Suppression.Why | None = None
    line: int = 0
    cells: list[str] = field(default_factory=list)


class Mapping:
    """{column: target}, and what holds for the whole file.

    "$blank" lists texts that mean nothing, "$values" is {column: {from: to}}, "$dates" {column: "dmy", "mdy" or
    "ymd"}; "$about" is the day on which whoever has no date came, "$stage" the stage of rows that name none, "$source"
    their {"channel", "campaign", "placement"}, "$system" the program that the external ids come from.
    """

    def __init__(self, given: Any, header: list[str], *, zone: ZoneInfo, members: dict[str, Member]) -> None:
        if not isinstance(given, dict):
            raise WrongMap("The map is an object of columns and targets.")
        self.header, self.zone, self.members = header, zone, members
        self.places = dict[int, str]()
        for column, target in given.items():
            # A column of such a name stays out: what holds for the whole file is said by it.
            if column in SETTINGS or (column.startswith("$") and column not in header):
                continue
            self._place(column, target)
        self._settings(given)
        self._judge()
        self.given = json.dumps(given, sort_keys=True)

    def _place(self, column: str, target: Any) -> None:
        if column not in self.header:
            raise WrongMap(f"There is no column “{column}” in this file.")
        own = str(target)[7:].strip() if str(target).startswith("fields.") else ""
        if target not in TARGETS and not own:
            raise WrongMap(f"“{column}” goes to “{target}”, which is no target.")
        if len(own) > LONGEST_FIELD or "\x00" in own:
            raise WrongMap(f"“{column}” goes to a field whose name is longer than {LONGEST_FIELD} characters.")
        if target in self.places.values() and target not in NO_MAIL:
            raise WrongMap(f"Two columns go to “{target}”.")
        self.places[self.header.index(column)] = target

    def _settings(self, given: dict[str, Any]) -> None:
        if strays := [name for name in given if name.startswith("$") and name not in (*SETTINGS, *self.header)]:
            raise WrongMap(f"“{strays[0]}” is no setting; there are {', '.join(SETTINGS)}.")
        blank, values, dates = given.get("$blank", []), given.get("$values", {}), given.get("$dates", {})
        if not isinstance(blank, list) or not isinstance(values, dict):
            raise WrongMap("“$blank” is a list of texts, “$values” an object of columns.")
        if wrong := [column for column, pairs in values.items() if not isinstance(pairs, dict)]:
            raise WrongMap(f"“$values” gives “{wrong[0]}” no object of old and new values.")
        if not isinstance(dates, dict) or any(order not in ORDERS for order in dates.values()):
            raise WrongMap("“$dates” is an object of columns, each with “dmy”, “mdy” or “ymd”.")
        for name, columns in (("$values", values), ("$dates", dates)):
            if strays := [column for column in columns if column not in given]:
                raise WrongMap(f"“{name}” names “{strays[0]}”, which the map doesn’t use.")
        source, stage = given.get("$source", {}), given.get("$stage", "")
        if not isinstance(source, dict) or any(f"source.{name}" not in SOURCES for name in source):
            raise WrongMap("“$source” is an object with “channel”, “campaign” and “placement”.")
        if stage and stage not in STAGES:
            raise WrongMap(f"“$stage” says “{stage}”; there are {', '.join(STAGES)}.")
        self.blank = {str(word).strip().casefold() for word in blank}
        self.values = {
            self.header.index(column): {str(old).strip().casefold(): str(new) for old, new in pairs.items()}
            for column, pairs in values.items()
        }
        self.orders = {self.header.index(column): order for column, order in dates.items()}
        self.source = {f"source.{name}": str(text) for name, text in source.items()}
        self.stage = Stage(stage) if stage else None
        try:
            self.about = self._moment(str(given["$about"]), "ymd") if given.get("$about") else None
        except ValueError as wrong:
            raise WrongMap(f"“$about”: {wrong}") from None
        self.system = str(given.get("$system", "")).strip()

    def _judge(self) -> None:
        targets = set(self.places.values())
        if "name" in targets and targets & set(HALVES):
            raise WrongMap("Take either the whole name, or first and last name.")
        if {"holder", "customer_holder"} <= targets:
            raise WrongMap("Take either “holder” or “customer_holder”.")

    @property
    def fields(self) -> dict[str, str]:
        """The custom fields that the map fills, each with the name of its column."""
        return {
            target[7:].strip(): self.header[place]
            for place, target in self.places.items()
            if target.startswith("fields.")
        }

    def column_of(self, name: str) -> int | None:
        """The place of the column that a field of a capture came from."""
        wanted = {"occurred_at": ("received_at",), "name": ("name", *HALVES)}.get(name, (name,))
        return next((place for place, target in self.places.items() if target in wanted), None)

    def row(self, line: int, cells: list[str]) -> Row:
        """Read one row; raise Refused where its cells aren't those of the header."""
        wide = len(self.header)
        if not wide - 1 <= len(cells) <= wide and (len(cells) < wide or any(cell.strip() for cell in cells[wide:])):
            cell = "cell" if len(cells) == 1 else "cells"
            raise Refused({"row": f"This row has {len(cells)} {cell}, the header {wide}."})
        found: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for place, target in self.places.items():
            if not (value := self._value(place, cells)):
                continue
            try:
                found[target] = self._read(place, target, value) or found.get(target)
            except ValueError as wrong:
                errors[self.header[place]] = str(wrong)
        stage, holder = found.get("stage", self.stage), found.get("holder")
        if holder and stage != Stage.CUSTOMER:
            errors["holder"] = "Only a customer comes with a holder."
        elif stage == Stage.CUSTOMER:
            holder = holder or found.get("customer_holder")
        since = found.get("customer_since") if stage == Stage.CUSTOMER else None
        halves = " ".join(found[half] for half in HALVES if half in found)
        capture = Capture(
            name=found.get("name", halves),
            email=found.get("email", ""),
            phone=found.get("phone", ""),
            company=found.get("company", ""),
            external_id=found.get("external_id", ""),
            external_system=self.system if "external_id" in found else "",
            channel=self._source("source.channel", found),
            campaign=self._source("source.campaign", found),
            placement=self._source("source.placement", found),
            occurred_at=found.get("received_at"),
            about=self.about,
            customer_since=since,
            stage=stage,
            holder=holder,
            fields={target[7:].strip(): value for target, value in found.items() if target.startswith("fields.")},
            overwrite=True,
            silent_when_same=True,
            row_key=_digest(cells),
            data={"row": _digest([self.given, *cells])[:16]},
        )
        no_mail = next((why for target, why in NO_MAIL.items() if found.get(target)), None)
        return Row(capture, errors, no_mail, line, cells)

    def _source(self, name: str, found: dict[str, Any]) -> str:
        return str(found.get(name) or self.source.get(name, ""))

    def _value(self, place: int, cells: list[str]) -> str:
        value = cells[place].strip() if place < len(cells) else ""
        if not value:
            return ""
        if value[0] == "'" and FORMULA.match(value):
            value = value[1:]
        folded = value.casefold()
        if folded in self.blank:
            return ""
        return self.values[place].get(folded, value).strip() if place in self.values else value

    def _read(self, place: int, target: str, value: str) -> Any:
        if FAULTY.search(value):
            raise ValueError("This cell holds what can’t be read as text in the file’s encoding.")
        if target == "stage":
            if value not in STAGES:
                raise ValueError(f"“{value}” has no stage yet; there are customer, nurturing, lost and disqualified.")
            return Stage(value)
        if target in ("holder", "customer_holder"):
            member = self.members.get(value.casefold())
            if member is None:
                raise ValueError(f"“{value}” is nobody’s e-mail address in this business.")
            return member
        if target in NO_MAIL:
            if (said := must_not(value)) is None:
                raise ValueError(f"“{value}” says neither yes nor no.")
            return said
        if target in WHEN:
            return self._moment(value, self.orders.get(place, "ymd"))
        if place in self.orders:
            return self._moment(value, self.orders[place]).date().isoformat()
        return value

    def _moment(self, value: str, order: str) -> datetime:
        """A date or moment, written as ISO or in the order that was said; without an offset in the business's time."""
        try:
            moment = datetime.fromisoformat(value) if ISO.match(value) else _written(value, order)
        except ValueError as wrong:
            if str(wrong).startswith("day "):
                raise ValueError(f"“{value}”: this day does not exist.") from None
            raise ValueError(f"“{value}” is no date; write it like {LIKE[order]}.") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(text.strip() for text in texts).encode(errors="replace")).hexdigest()


def _written(value: str, order: str) -> datetime:
    """A moment written with its parts in this order; a year of two digits, never first, lies between 1970 and 2069."""
    found = DATE.fullmatch(value)
    if found is None:
        raise ValueError
    parts = [found[1], found[2], found[3]]
    year, month, day = (parts[place] for place in ORDERS[order])
    if len(year) not in ((4,) if order == "ymd" else (2, 4)) or max(len(month), len(day)) > 2:
        raise ValueError
    number = int(year) + (0 if len(year) == 4 else 1900 if int(year) >= 70 else 2000)
    hour = int(found[4] or 0)
    if found[7]:
        hour = hour % 12 + (12 if found[7].lower() == "pm" else 0)
    return datetime(number, int(month), int(day), hour, int(found[5] or 0), int(found[6] or 0))  # noqa: DTZ001


def must_not(value: str) -> bool | None:
    """Whether a cell says that somebody must not be mailed, by a word or the day of it; None where it says neither."""
    folded = value.strip().casefold()
    if folded in YES or DATE.match(folded):
        return True
    return False if folded in NO else None


def formula_safe(text: str) -> str:
    """The text as a spreadsheet shows it and never runs it (ASVS 1.2.10)."""
    return f"'{text}" if FORMULA.match(text) else text


def members_by_mail(people: Collection[Member]) -> dict[str, Member]:
    """The members as a map names them."""
    return {one.email.casefold(): one for one in people}
