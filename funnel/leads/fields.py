"""The business's own fields: what may stand in `Lead.fields`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from django.db import IntegrityError, transaction

from funnel.leads import known
from funnel.leads.models import FieldDefinition, Lead
from funnel.workspaces.asking import Asked
from funnel.workspaces.models import AuditEntry, Member

LONGEST = 2000
MOST_FIELDS, MOST_CHOICES = 100, 100
# "1e-999999" would be kept as a million zeros.
DIGITS = 30
YES, NO = {"yes", "true", "1", "on"}, {"no", "false", "0", "off"}


class FieldBook:
    """All definitions of the open workspace, by name."""

    @cached_property
    def by_name(self) -> dict[str, FieldDefinition]:
        """Read when the first field comes; most captures have none."""
        return {one.name: one for one in FieldDefinition.objects.all()}

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


FIELDS = Asked(lambda: FieldDefinition.objects.all())


def fields_of(lead: Lead) -> dict[str, FieldDefinition]:
    """The business's own fields by name where the lead has any; read once for this instance, whoever asks."""
    if not lead.fields:
        return {}
    return {one.name: one for one in known.of(lead, FIELDS, keep=True)}


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
        if int(number.as_tuple().exponent) < -DIGITS:
            raise ValueError(f"Write at most {DIGITS} digits after the point.")
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


def lines_of(text: str) -> list[str]:
    """What stands in a box that takes one per line: each line once, blanks left out."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line))


@transaction.atomic
def define(
    label: str, kind: str, *, by: Member, at: datetime, choices: Sequence[str] = (), name: str = ""
) -> FieldDefinition:
    """Give the business a field of its own; raise Refused. Without a name it is made of the label."""
    from funnel.leads.identity import Refused

    errors: dict[str, str] = {}
    label = " ".join(label.split())
    name = name or re.sub(r"\W+", "_", label.lower()).strip("_")[:60].strip("_")
    offered = list(dict.fromkeys(" ".join(str(choice).split()) for choice in choices if str(choice).strip()))
    if not label or len(label) > 120 or "\x00" in label:
        errors["label"] = "Write what it is called, in up to 120 characters."
    elif not re.fullmatch(r"\w{1,60}", name):
        errors["name"] = "Use up to 60 letters, digits and underscores."
    if kind not in FieldDefinition.Kind.values:
        errors["kind"] = "Choose one of: " + ", ".join(FieldDefinition.Kind.values) + "."
    elif kind == FieldDefinition.Kind.CHOICE and len(offered) < 2:
        errors["choices"] = "Write at least two choices, one per line."
    elif kind != FieldDefinition.Kind.CHOICE and offered:
        errors["choices"] = "Only a choice has choices."
    if len(offered) > MOST_CHOICES or any(len(choice) > 120 or "\x00" in choice for choice in offered):
        errors["choices"] = f"Write up to {MOST_CHOICES} choices of up to 120 characters."
    if not errors and FieldDefinition.objects.count() >= MOST_FIELDS:
        errors["label"] = f"There are {MOST_FIELDS} fields already, which is as many as there can be."
    if errors:
        raise Refused(errors)
    try:
        with transaction.atomic():
            made: FieldDefinition = FieldDefinition.objects.create(
                workspace=by.workspace, name=name, label=label, kind=kind, choices=offered
            )
    except IntegrityError:
        raise Refused({"label": "There is a field of this name already."}) from None
    AuditEntry.objects.create(
        workspace=by.workspace, at=at, actor=by, action="field added", target=name, data={"label": label, "kind": kind}
    )
    return made
