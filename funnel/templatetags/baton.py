"""The one template library: words, small drawings and parts of a page. A builtin, so templates load nothing."""

from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from typing import Any, cast

from django import template
from django.conf import settings
from django.forms import BaseForm, BoundField, widgets
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from funnel.workspaces.roles import may

from . import drawings, inputs, words

register = template.Library()
OPEN = mark_safe(" open")


# ── words ────────────────────────────────────────────────────────────────


def _or_dash(write: Callable[..., str]) -> Callable[..., str]:
    """Show what is missing as a dash; a zero is a value."""

    @wraps(write)  # Django reads a filter's arguments through it
    def written(value: Any, *rest: Any) -> str:
        return words.DASH if value is None or value == "" else write(value, *rest)

    return written


for _name in ("day", "short_day", "long_day", "day_time", "clock_time", "when"):
    register.filter(_name, _or_dash(getattr(words, _name)))
for _name in ("duration", "lateness", "span", "number", "percent", "money", "about", "too_long"):
    register.filter(_name, _or_dash(getattr(words, _name)))
register.filter("initials", words.initials)
register.simple_tag(words.share, name="share")


@register.filter
def dash(value: Any) -> Any:
    """Show what is missing as a dash; a zero is a value."""
    return words.DASH if value is None or value == "" else value


@register.filter
def exact_money(minor: int | None, currency: str) -> str:
    """Write money with its small unit, as on deals and quotes."""
    return words.DASH if minor is None else words.money(minor, currency, exact=True)


@register.simple_tag
def moment(value: date | datetime | None, form: str = "when") -> str:
    """Write a <time>; form is day, short_day, long_day, day_time, clock_time or when."""
    if value is None:
        return words.DASH
    return format_html('<time datetime="{}">{}</time>', words.local(value).isoformat(), getattr(words, form)(value))


# ── drawings ─────────────────────────────────────────────────────────────

for _draw in (
    drawings.avatar, drawings.bar, drawings.baton_line, drawings.burn, drawings.clock, drawings.deal_card,
    drawings.desk_row, drawings.grade, drawings.held, drawings.icon, drawings.lead_row, drawings.mark,
    drawings.won_row,
):  # fmt: skip
    register.simple_tag(_draw)
register.simple_tag(drawings.deal_menu, takes_context=True)


# ── parts of a page ──────────────────────────────────────────────────────


@register.simple_block_tag
def pagehead(content: str, title: str, sub: str = "") -> str:
    """Head a page: its title, one line of summary, and the actions written inside the block."""
    return format_html(
        '<div class="pagehead"><div><h1>{}</h1>{}</div>{}</div>',
        title,
        format_html('<p class="sub">{}</p>', sub) if sub else "",
        format_html('<div class="actions">{}</div>', content) if content.strip() else "",
    )


@register.simple_block_tag
def section_head(content: str, title: str, id: str = "") -> str:
    """Head a section; the block holds a line of words or a link for the right."""
    name = format_html(' id="{}"', id) if id else ""
    return format_html('<div class="section-head"><h2{}>{}</h2>{}</div>', name, title, content)


@register.simple_block_tag
def opens(content: str, summary: str, open: bool = False) -> str:
    """Let a figure or a sentence open in place into what made it."""
    return format_html(
        '<details class="opens"{}><summary>{}</summary>{}</details>', OPEN if open else "", summary, content
    )


@register.simple_block_tag
def notice(content: str, title: str, kind: str = "warn", role: str = "status") -> str:
    """Say what is wrong (kind danger) or waits (kind warn), with what helps inside the block."""
    return format_html(
        '<div class="notice is-{}" role="{}">{}<div><h2>{}</h2>{}</div></div>',
        kind, role, drawings.icon("alert-circle" if kind == "danger" else "alert-triangle"), title, content,
    )  # fmt: skip


@register.simple_block_tag
def blank(content: str, title: str, text: str, stage: str = "new") -> str:
    """Say what belongs here; the block holds the one step that fills it."""
    return format_html(
        '<div class="blank">{}<h2>{}</h2><p>{}</p>{}</div>', drawings.baton_line(stage), title, text, content
    )


@register.simple_block_tag
def sheet(content: str, id: str, title: str, open: bool = False, wide: bool = False) -> str:
    """Put a question over the page; a link to #id opens it, with and without script."""
    return format_html(
        '<dialog class="over" id="{0}" aria-labelledby="{0}-title"{1}><div class="sheet{2}">'
        '<h2 id="{0}-title">{3}</h2>{4}</div></dialog>',
        id, OPEN if open else "", " is-wide" if wide else "", title, content,
    )  # fmt: skip


# ── forms ────────────────────────────────────────────────────────────────

GROUPS = (widgets.RadioSelect, widgets.CheckboxSelectMultiple)


def _said(field: BoundField) -> list[str]:
    return [words.plainly(str(message)) for message in field.errors]


def _control(field: BoundField, css: str) -> SafeString:
    """Draw the field's own input with our class; Django adds what screen readers need."""
    own = field.field.widget.attrs.get("class", "")
    wrong = " is-invalid" if field.errors and css != "input" else ""
    return field.as_widget(attrs={"class": f"{own} {css}{wrong}".strip()})


def _field(field: BoundField | str, label: str, hint: str | None) -> dict[str, Any]:
    if not isinstance(field, BoundField):
        return {"field": None}  # the form has no such field: a template may serve two forms
    if hint is not None:
        field.help_text = hint
    widget = field.field.widget
    kind = "hidden" if field.is_hidden else "group" if isinstance(widget, GROUPS) else "text"
    if isinstance(widget, widgets.CheckboxInput):
        kind = "check"
    return {"field": field, "errors": _said(field), "kind": kind, "label": label or field.label, "widget": widget}


@register.simple_tag
def field(field: BoundField | str, label: str = "", hint: str | None = None, optional: bool = False) -> str:
    """Draw one field of a form on a page of Baton."""
    told = _field(field, label, hint)
    if not isinstance(field, BoundField):
        return ""
    kind, label, errors, optional = told["kind"], told["label"], told["errors"], optional and not field.field.required
    if kind == "group":
        return inputs.group(field, label, errors, optional=optional)
    if kind == "hidden":
        return _control(field, "")
    if kind == "check":
        return inputs.tick(field, label, _control(field, "form-check-input"), errors)
    css = "form-select" if isinstance(told["widget"], widgets.Select) else "form-control"
    return inputs.plain(field, label, _control(field, css), errors, optional=optional)


@register.inclusion_tag("components/public_field.html")
def public_field(
    field: BoundField | str, label: str = "", hint: str | None = None, below: bool = False
) -> dict[str, Any]:
    """Draw one field of a form on a page for people outside, and on the door; its hint stands above or below."""
    context = _field(field, label, hint) | {"below": below}
    if isinstance(field, BoundField) and context["kind"] != "group":
        field.field.widget.attrs.pop("placeholder", None)  # the label says it, and stays while one types
        context["control"] = _control(field, "" if context["kind"] == "check" else "input")
    return context


@register.simple_tag
def error_summary(form: BaseForm | None, public: bool = False) -> str:
    """List what is to be put right, each with a link to its field; nothing when all is well."""
    if form is None or not form.errors:
        return ""
    wrong = [(field, _said(field)[0]) for field in form if field.errors]
    whole = list(form.non_field_errors())
    told = {"wrong": wrong, "whole": whole, "count": len(wrong) + len(whole), "public": public}
    return render_to_string("components/errors.html", told)


@register.simple_tag(takes_context=True)
def only_here(context: dict[str, Any]) -> str:
    """Say beside links to copy that nobody else can open them, and to the owner what helps; else nothing."""
    if not settings.ONLY_HERE:
        return ""
    member = getattr(context.get("request"), "member", None)
    helps = format_html('<a class="inline-link" href="{}#address">Let others in</a>', reverse("business"))
    if not may(member, "business"):
        helps = format_html("{}", "The owner can let others in.")
    words = "Others can’t open this yet: it leads to this computer only."
    return format_html('<p class="meta after only-here">{} {}</p>', words, helps)


@register.simple_tag
def password_hint() -> str:
    """Say what a password needs, as the validators are set."""
    asked = (cast(dict[str, Any], validator).get("OPTIONS", {}) for validator in settings.AUTH_PASSWORD_VALIDATORS)
    least = next((options["min_length"] for options in asked if "min_length" in options), 8)  # 8 is Django's own
    return f"{least} characters or more. A sentence is fine."
