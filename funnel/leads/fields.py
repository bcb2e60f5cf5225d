"""The business's own fields: what may stand in `Lead.fields`."""

from __future__ import annotations

import unicodedata
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from funnel.leads.models import FieldDefinition

LONGEST = 2000
YES, NO = {"yes", "true", "1", "on"}, {"no", "false", "0", "off"}


class FieldBook:
    """All definitions of the open workspace, by name."""

    def __init__(self) -> None:
        self.by_name = {one.name: one for one in FieldDefinition.objects.all()}

    def clean(self, given: Any) -> dict[str, Any]:
        """Give the values in their kind's form (numbers as strings, dates as ISO), blanks left out; raise Refused."""
        from funnel.leads.identity import Refused

        if not isinstance(given, dict):
            raise Refused({"fields": "Send an object of field names and values."})
        cleaned, errors = {}, {}
        for name, value in given.items():
            definition = self.by_name.get(name)
            if definition is None:
                errors[f"fields.{name}"] = "There is no field of this name; make it first."
                continue
            try:
                kept = one_value(definition, value)
            except ValueError as wrong:
                errors[f"fields.{name}"] = str(wrong)
                continue
            if kept is not None:
                cleaned[name] = kept
        if errors:
            raise Refused(errors)
        return cleaned


def one_value(definition: FieldDefinition, value: Any) -> str | bool | None:
    """One value in its kind's form, None for a blank; raise ValueError with a sentence."""
    if value is None or value == "":
        return None
    if definition.kind == FieldDefinition.Kind.YES_NO:
        word = str(value).strip().casefold()
        if word in YES or value is True:
            return True
        if word in NO or value is False:
            return False
        raise ValueError("Say yes or no.")
    if not isinstance(value, str | int | float | Decimal) or isinstance(value, bool):
        raise ValueError("Send a text here.")
    text = str(value).strip()
    if not text:
        return None
    if len(text) > LONGEST:
        raise ValueError(f"This is longer than {LONGEST} characters.")
    if any(unicodedata.category(sign) in ("Cs", "Cc") and sign not in "\n\r\t" for sign in text):
        raise ValueError("This text holds a character that can't be stored.")
    if definition.kind == FieldDefinition.Kind.NUMBER:
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise ValueError("Write a number, like 25 or 3.5.") from None
        if not number.is_finite() or abs(number) >= 10**15:
            raise ValueError("Write a number below 10^15.")
        return format(number.normalize(), "f")
    if definition.kind == FieldDefinition.Kind.DATE:
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise ValueError("Write a date like 2026-11-17.") from None
    if definition.kind == FieldDefinition.Kind.CHOICE:
        for choice in definition.choices:
            if str(choice).casefold() == text.casefold():
                return str(choice)
        raise ValueError(f"Choose one of: {', '.join(map(str, definition.choices))}.")
    return text
