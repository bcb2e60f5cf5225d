"""Inputs written out here: Django renders a template for each, one more for its attributes and two for an option."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.forms import BoundField
from django.forms.boundfield import BoundWidget
from django.forms.renderers import TemplatesSetting
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

CHECKED, REQUIRED, DISABLED = mark_safe(" checked"), mark_safe(" required"), mark_safe(" disabled")
OPTIONAL = mark_safe(' <span class="quiet">(optional)</span>')


def _attributes(given: Mapping[str, Any]) -> SafeString:
    told = ((name, value) for name, value in given.items() if value is not False)
    return format_html_join(
        "", "{}{}", ((f" {name}", "" if value is True else format_html('="{}"', str(value))) for name, value in told)
    )


def _input(widget: Mapping[str, Any]) -> SafeString:
    value = widget["value"]
    return format_html(
        '<input type="{}" name="{}"{}{}>', widget["type"], widget["name"],
        "" if value is None else format_html(' value="{}"', str(value)), _attributes(widget["attrs"]),
    )  # fmt: skip


def _textarea(widget: Mapping[str, Any]) -> SafeString:
    # A browser leaves out the first new line of a text area, so one more is written.
    return format_html(
        '<textarea name="{}"{}>\n{}</textarea>', widget["name"], _attributes(widget["attrs"]), widget["value"] or ""
    )


def _options(rows: Iterable[Mapping[str, Any]]) -> SafeString:
    return format_html_join(
        "", '<option value="{}"{}>{}</option>',
        ((str(row["value"]), _attributes(row["attrs"]), row["label"]) for row in rows),
    )  # fmt: skip


def _select(widget: Mapping[str, Any]) -> SafeString:
    groups = (
        format_html('<optgroup label="{}">{}</optgroup>', name, _options(rows)) if name else _options(rows)
        for name, rows, _ in widget["optgroups"]
    )
    return format_html(
        '<select name="{}"{}>{}</select>', widget["name"], _attributes(widget["attrs"]),
        format_html_join("", "{}", ((group,) for group in groups)),
    )  # fmt: skip


_INPUTS = ("text", "number", "email", "url", "password", "hidden", "date", "datetime", "time", "checkbox")
DRAWN: dict[str, Callable[[Mapping[str, Any]], SafeString]] = {
    **{f"django/forms/widgets/{name}.html": _input for name in _INPUTS},
    "django/forms/widgets/textarea.html": _textarea,
    "django/forms/widgets/select.html": _select,
}


class Renderer(TemplatesSetting):
    """Django's renderer for forms, with the plain inputs written out."""

    def render(self, template_name: str, context: dict[str, Any], request: Any = None) -> str:
        """Draw a widget."""
        if draw := DRAWN.get(template_name):
            return draw(context["widget"])
        return super().render(template_name, context, request)


# ── a field of a page of Baton ───────────────────────────────────────────


def plain(field: BoundField, label: str, control: SafeString, errors: list[str], *, optional: bool) -> SafeString:
    """Draw a label over its input."""
    return format_html(
        '<div><label class="form-label" for="{}">{}{}</label> {} {}</div>',
        field.id_for_label, label, OPTIONAL if optional else "", control, _words(field, errors),
    )  # fmt: skip


def tick(field: BoundField, label: str, control: SafeString, errors: list[str]) -> SafeString:
    """Draw a box to tick and its label."""
    return format_html(
        '<div><div class="form-check">{}<label class="form-check-label" for="{}">{}</label></div> {}</div>',
        control, field.id_for_label, label, _words(field, errors),
    )  # fmt: skip


def group(field: BoundField, label: str, errors: list[str], *, optional: bool) -> SafeString:
    """Draw a question with its choices."""
    by, disabled = field.aria_describedby, DISABLED if field.field.disabled else ""
    return format_html(
        '<fieldset class="choices" id="{}"{}> <legend class="form-label">{}{}</legend> {}{}</fieldset>',
        field.auto_id, format_html(' aria-describedby="{}"', by) if by else "", label, OPTIONAL if optional else "",
        format_html_join("", "{} ", ((_choice(one, disabled),) for one in field)), _words(field, errors),
    )  # fmt: skip


def _choice(one: BoundWidget, disabled: SafeString | str) -> SafeString:
    data = one.data
    return format_html(
        '<div class="form-check"><input class="form-check-input" type="{}" name="{}" value="{}" id="{id}"{}{}{}>'
        '<label class="form-check-label" for="{id}">{}</label></div>',
        data["type"], data["name"], "" if data["value"] is None else data["value"],
        CHECKED if data["selected"] else "", REQUIRED if data["attrs"].get("required") else "", disabled,
        one.choice_label, id=one.id_for_label,
    )  # fmt: skip


def _words(field: BoundField, errors: list[str]) -> SafeString:
    hint, wrong = field.help_text, " ".join(errors)
    return format_html(
        "{}{}",
        format_html('<p class="form-hint" id="{}_helptext">{}</p>', field.auto_id, hint) if hint else "",
        format_html('<p class="invalid-feedback" id="{}_error">{}</p>', field.auto_id, wrong) if wrong else "",
    )
