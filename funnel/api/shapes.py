"""What a body may hold: one declaration reads it, and describes it in the schema."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any

from funnel.workspaces.refusals import Refusal

UNKNOWN = "There is no field of this name."
# Before and after these a moment is a mistake, and at the ends of the calendar it has no other time zones any more.
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


class Invalid(Refusal):
    """A request that can't be taken as it is: a sentence per field."""

    status = 400

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = dict(errors)


class Text:
    """A text of up to `longest` characters; null is a blank, and `numbers` takes a whole number for its digits."""

    def __init__(self, longest: int, says: str = "", *, numbers: bool = False) -> None:
        self.longest, self.says, self.numbers = longest, says, numbers

    def read(self, value: Any) -> str:
        if value is None:
            return ""
        if self.numbers and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise ValueError("Send a text here.")
        if len(value) > self.longest:
            raise ValueError(f"This is longer than {self.longest} characters.")
        return value

    def schema(self) -> dict[str, Any]:
        return described({"type": "string", "maxLength": self.longest, "nullable": True}, self.says)


class OneOf:
    """One of these texts."""

    def __init__(self, names: Collection[str], says: str = "") -> None:
        self.names, self.says = list(names), says

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.names:
            raise ValueError(f"Send one of: {', '.join(self.names)}.")
        return value

    def schema(self) -> dict[str, Any]:
        return described({"type": "string", "enum": self.names}, self.says)


class Flag:
    """True or false."""

    def __init__(self, says: str = "") -> None:
        self.says = says

    def read(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError("Send true or false.")
        return value

    def schema(self) -> dict[str, Any]:
        return described({"type": "boolean"}, self.says)


class Moment:
    """A moment in ISO 8601 with its offset; null is none."""

    def __init__(self, says: str = "") -> None:
        self.says = says

    def read(self, value: Any) -> datetime | None:
        return None if value is None else moment(value)

    def schema(self) -> dict[str, Any]:
        return described({"type": "string", "format": "date-time", "nullable": True}, self.says)


class Day:
    """A date like 2026-11-17; null is none."""

    def __init__(self, says: str = "") -> None:
        self.says = says

    def read(self, value: Any) -> date | None:
        if value is None:
            return None
        try:
            # Python reads weeks too, like 2026-W47-2.
            if isinstance(value, str) and (day := date.fromisoformat(value)).isoformat() == value:
                return day
        except ValueError:
            pass
        raise ValueError("Write a date like 2026-11-17.")

    def schema(self) -> dict[str, Any]:
        return described({"type": "string", "format": "date", "nullable": True}, self.says)


class DayOrMoment:
    """A date, or a moment with its offset; null is none."""

    def __init__(self, says: str = "") -> None:
        self.says = says

    def read(self, value: Any) -> date | datetime | None:
        if isinstance(value, str) and len(value) <= 10:
            return Day().read(value)
        return None if value is None else moment(value)

    def schema(self) -> dict[str, Any]:
        return described({"type": "string", "nullable": True}, self.says)


class Anything:
    """An object whose names are somebody else's."""

    def __init__(self, says: str = "") -> None:
        self.says = says

    def read(self, value: Any) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ValueError("Send an object here.")
        return value

    def schema(self) -> dict[str, Any]:
        return described({"type": "object", "additionalProperties": True}, self.says)


class Texts:
    """A list of texts."""

    def __init__(self, longest: int, most: int, says: str = "") -> None:
        self.each, self.most, self.says = Text(longest), most, says

    def read(self, value: Any) -> list[str]:
        if not isinstance(value, list):
            raise ValueError("Send a list of texts.")
        if len(value) > self.most:
            raise ValueError(f"Send at most {self.most}.")
        return [self.each.read(one) for one in value]

    def schema(self) -> dict[str, Any]:
        return described({"type": "array", "items": {"type": "string"}, "maxItems": self.most}, self.says)


class Items:
    """A list whose items are read one by one, so that a wrong one leaves the others alone."""

    def __init__(self, each: Shape, most: int) -> None:
        self.each, self.most = each, most

    def read(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError("Send a list.")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.each.schema(), "maxItems": self.most}


class Rows:
    """A list whose items are read together: one that is wrong is named by its place, and none is taken."""

    def __init__(self, each: Shape, most: int, says: str = "") -> None:
        self.each, self.most, self.says = each, most, says

    def read(self, value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, list):
            raise ValueError("Send a list.")
        if len(value) > self.most:
            raise ValueError(f"Send at most {self.most}.")
        found, errors = [], {}
        for place, one in enumerate(value):
            try:
                found.append(self.each.read(one))
            except Invalid as wrong:
                errors.update({f"{place}.{name}": says for name, says in wrong.errors.items()})
            except ValueError as wrong:
                errors[str(place)] = str(wrong)
        if errors:
            raise Invalid(errors)
        return found

    def schema(self) -> dict[str, Any]:
        return described({"type": "array", "items": self.each.schema(), "maxItems": self.most}, self.says)


class Shape:
    """An object of named fields; a name that isn't one is an error, `fixed` ones with a sentence of their own.

    What stands in `ignored` may be sent and counts for nothing, with a sentence that says so to who reads the schema.
    """

    def __init__(
        self,
        fields: Mapping[str, Any],
        *,
        required: Collection[str] = (),
        fixed: Mapping[str, str] | None = None,
        ignored: Mapping[str, str] | None = None,
        says: str = "",
    ) -> None:
        self.fields, self.required, self.fixed, self.says = fields, required, fixed or {}, says
        self.ignored = ignored or {}

    def read(self, value: Any) -> dict[str, Any]:
        """Give the fields that were sent; raise Invalid with a sentence for each wrong one."""
        if not isinstance(value, dict):
            raise ValueError("Send an object here.")
        found: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for name, inner in value.items():
            field = self.fields.get(name)
            if field is None and name in self.ignored:
                continue
            if field is None:
                errors[name[:80]] = self.fixed.get(name, UNKNOWN)
                continue
            try:
                found[name] = field.read(inner)
            except Invalid as wrong:
                errors.update({f"{name}.{key}": says for key, says in wrong.errors.items()})
            except ValueError as wrong:
                errors[name] = str(wrong)
        wrong_inside = {name.partition(".")[0] for name in errors}
        for name in self.required:
            said = found.get(name)
            if name not in wrong_inside and (said is None or (isinstance(said, str) and not said.strip())):
                errors[name] = "This is needed."
        if errors:
            raise Invalid(errors)
        return found

    def schema(self) -> dict[str, Any]:
        shape: dict[str, Any] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                **{name: field.schema() for name, field in self.fields.items()},
                **{name: {"readOnly": True, "description": says} for name, says in self.ignored.items()},
            },
        }
        if self.required:
            shape["required"] = list(self.required)
        return described(shape, self.says)


class OptionalShape(Shape):
    """The same, where null stands for nothing."""

    def read(self, value: Any) -> dict[str, Any]:
        """Give the fields that were sent."""
        return {} if value is None else super().read(value)


def described(schema: dict[str, Any], says: str) -> dict[str, Any]:
    """Add the sentence where there is one."""
    return {**schema, "description": says} if says else schema


def asked_moment(value: str) -> datetime:
    """Read a moment of an address, where a "+" that was not escaped arrives as a blank; raise ValueError."""
    return moment(value.replace(" ", "+"))


def moment(value: Any) -> datetime:
    """Read a moment with its offset, in UTC; raise ValueError with a sentence."""
    if not isinstance(value, str) or not 16 <= len(value) <= 40:
        raise ValueError("Write a moment like 2026-11-17T09:30:00Z.")
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("Write a moment like 2026-11-17T09:30:00Z.") from None
    if read.tzinfo is None:
        raise ValueError("Add the offset from UTC, like 2026-11-17T09:30:00+01:00.")
    try:
        read = read.astimezone(UTC)
    except OverflowError:
        raise ValueError("This is too long ago or too far ahead.") from None
    if read < EARLIEST:
        raise ValueError("This is too long ago.")
    if read >= LATEST:
        raise ValueError("This is too far ahead.")
    return read


def stamp(at: datetime | None) -> str | None:
    """Write a moment in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
