"""A form's questions as its page and its snippet draw them."""

from __future__ import annotations

from typing import Any

from funnel.leads.models import FieldDefinition
from marketing.capture.models import Form

# The kinds of inputs, and what a browser may fill in by itself.
INPUTS = {
    "name": ("text", "name"),
    "email": ("email", "email"),
    "phone": ("tel", "tel"),
    "company": ("text", "organization"),
}
KINDS = FieldDefinition.Kind
BY_KIND = {KINDS.NUMBER: "number", KINDS.DATE: "date"}


def questions_on_page(form: Form, posted: dict[str, str], errors: dict[str, str]) -> list[dict[str, Any]]:
    """Give each question with its control, what was typed and what is wrong; two short ones may share a line."""
    rows = []
    for question in form.questions:
        name = question["name"]
        kind = question.get("kind", KINDS.TEXT)
        control, complete = INPUTS.get(name, (BY_KIND.get(kind, "text"), "off"))
        choices: list[str] = []
        if name == "message":
            control = "textarea"
        elif name == "interest":
            control, choices = "picks", form.interests
        elif kind == KINDS.CHOICE:
            control, choices = "select", question.get("choices", [])
        elif kind == KINDS.YES_NO:
            control, choices = "picks", ["Yes", "No"]
        rows.append(
            {
                **question,
                "control": control,
                "complete": complete,
                "choices": choices,
                "value": _shown(posted.get(name, "")),
                "error": errors.get(name, ""),
            }
        )
    return _in_pairs(rows)


def _shown(value: str) -> str:
    """What was typed, without signs that HTML can't hold."""
    return "".join(sign for sign in value if sign.isprintable() or sign in "\r\n\t")


def _in_pairs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mark where two short questions stand side by side: phone and e-mail as a pair read as one step."""
    place = 0
    while place < len(rows) - 1:
        first, second = rows[place], rows[place + 1]
        short = all(one["control"] in ("tel", "email", "number", "date", "select") for one in (first, second))
        if short:
            first["opens_pair"] = second["closes_pair"] = True
            place += 1
        place += 1
    return rows
