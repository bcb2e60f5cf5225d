"""The one template library: small drawings, words and parts of a page. Loaded as a builtin, so nothing to {% load %}."""

from collections.abc import Callable
from datetime import date, datetime
from functools import cache, wraps
from typing import Any

from django import template
from django.conf import settings
from django.forms import BaseForm, BoundField, widgets
from django.templatetags.static import static
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from . import words

register = template.Library()


# ── words ────────────────────────────────────────────────────────────────


def _or_dash(write: Callable[..., str]) -> Callable[..., str]:
    """Show what is missing as a dash; a zero is a value."""

    @wraps(write)  # Django reads a filter's arguments through it
    def written(value: Any, *rest: Any) -> str:
        return words.DASH if value is None or value == "" else write(value, *rest)

    return written


for _name in ("day", "short_day", "long_day", "day_time", "clock_time", "when"):
    register.filter(_name, _or_dash(getattr(words, _name)))
for _name in ("duration", "span", "number", "percent", "money"):
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
    return format_html(
        '<time datetime="{}">{}</time>', words.local(value).isoformat(), getattr(words, form)(value)
    )


# ── drawings ─────────────────────────────────────────────────────────────

MARK = (
    '<g transform="rotate(35 12 12)"><path class="t" d="M9 8V3a3 3 0 0 1 6 0v5z"/>'
    '<path class="i" d="M9 9h6v6H9z"/><path class="c" d="M9 16v5a3 3 0 0 0 6 0v-5z"/></g>'
)
HELD = (
    '<svg class="held" viewBox="0 0 20 20" aria-hidden="true">'
    '<rect x="6.75" y="1" width="6.5" height="18" rx="3.25" transform="rotate(35 10 10)"/></svg>'
)
# The three legs of the way and how far along each stage stands; lost is with marketing again, a non-lead nowhere.
LEGS = (("c", 2, 22), ("i", 27, 35), ("t", 40, 74))
STANDS = {
    "new": 5, "nurturing": 17, "lost": 17, "ready": 31, "working": 43,
    "qualified": 49, "demo": 56, "negotiation": 63, "customer": 71,
}  # fmt: skip
SIDES = {"new": "marketing", "nurturing": "marketing", "lost": "marketing", "ready": "hall", "disqualified": "hall"}


@cache
def _sprite() -> str:
    return static("icons.svg")


@register.simple_tag
def icon(name: str) -> str:
    """Draw an icon of the sprite; a new name goes into assets/icons.txt."""
    return mark_safe(  # noqa: S308 - names come from templates and navigation, never from a person
        f'<svg class="icon" aria-hidden="true"><use href="{_sprite()}#{conditional_escape(name)}"/></svg>'
    )


@register.simple_tag
def mark(css: str = "baton-mark") -> str:
    """Draw the baton alone."""
    return format_html('<svg class="{}" viewBox="0 0 24 24" aria-hidden="true">{}</svg>', css, mark_safe(MARK))


@register.simple_tag
def held() -> str:
    """Draw the baton where a lead changes hands."""
    return mark_safe(HELD)


@cache
def _line(stage: str) -> SafeString:
    at = STANDS.get(stage, 0)
    drawn = [f'<line x1="{start}" y1="7" x2="{end}" y2="7"/>' for _, start, end in LEGS]
    here = ""
    for hue, start, end in LEGS:
        if at > start:
            drawn.append(f'<line class="{hue}" x1="{start}" y1="7" x2="{min(at, end)}" y2="7"/>')
            here = hue
    if here:
        drawn.append(
            f'<rect class="at-{here}" x="{at - 2.5}" y="0.5" width="5" height="13" rx="2.5" transform="rotate(35 {at} 7)"/>'
        )
    return mark_safe(f'<svg class="baton-line" viewBox="0 0 76 14" aria-hidden="true">{"".join(drawn)}</svg>')


@register.simple_tag
def baton_line(stage: str) -> str:
    """Draw how far a lead is; the stage stands beside it in words."""
    return _line(str(stage))


@register.filter
def side(stage: str) -> str:
    """Say with which side a lead of this stage is: the hue of its page."""
    return SIDES.get(str(stage), "sales")


@register.simple_tag
def avatar(name: str, size: str = "") -> str:
    """Draw a person's initials; the name stands beside it."""
    css = "avatar is-lg" if size == "lg" else "avatar"
    return format_html('<span class="{}" aria-hidden="true">{}</span>', css, words.initials(name or ""))


@register.simple_tag
def grade(fit: str | None, engagement: int | str | None) -> str:
    """Show both scores in two characters; what is not scored yet is a dash."""
    says = f"Fit {fit or 'not known yet'}, engagement " + (f"{engagement} of 4" if engagement else "not known yet")
    return format_html(
        '<span class="grade" role="img" aria-label="{0}" title="{0}"><b>{1}</b><b>{2}</b></span>',
        says, fit or words.DASH, engagement or words.DASH,
    )  # fmt: skip


@register.simple_tag
def clock(left: float | None, promise: float = 480, text: str = "") -> str:
    """Say how much of the promise is left, both in working minutes; `text` replaces the words."""
    if left is None:
        return ""
    late, soon, calm = left < 0, left < 30, left > promise / 2
    state = " is-late" if late else " is-soon" if soon else " is-calm" if calm else ""
    return format_html(
        '<span class="clock{}">{}{}</span>',
        state, icon("alert-circle" if late else "clock"), text or words.duration(left) + (" late" if late else ""),
    )  # fmt: skip


@register.simple_tag
def burn(left: float | None, promise: float = 480) -> str:
    """Draw what is left of the promise as a bar, both in working minutes."""
    if left is None:
        return ""
    whole = max(int(promise), 1)
    hours, rest = divmod(whole, 60)
    of = f"{hours} working hour{'' if hours == 1 else 's'}" if not rest else f"{words.duration(whole)} of working time"
    out = left <= 0
    return format_html(
        '<svg class="burn{}" viewBox="0 0 {} 4" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect width="{}" height="4"/></svg>',
        " is-out" if out else "", whole,
        f"All {of} used" if out else f"{words.duration(left)} of {of} left",
        whole if out else min(int(left), whole),
    )  # fmt: skip


@register.simple_tag
def bar(value: float, whole: float, hue: str = "n") -> str:
    """Draw a share as a bar in a cell; hue is c, i, t or n, and the figure stands beside it."""
    width = round(100 * min(max(value, 0), whole) / whole, 1) if whole else 0
    return format_html(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="bg" width="100" height="8" rx="1"/><rect class="{}" width="{}" height="8"/></svg>', hue, width,
    )  # fmt: skip


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
        '<details class="opens"{}><summary>{}</summary>{}</details>', mark_safe(" open" if open else ""), summary, content
    )


@register.simple_block_tag
def notice(content: str, title: str, kind: str = "warn", role: str = "status") -> str:
    """Say what is wrong (kind danger) or waits (kind warn), with what helps inside the block."""
    return format_html(
        '<div class="notice is-{}" role="{}">{}<div><h2>{}</h2>{}</div></div>',
        kind, role, icon("alert-circle" if kind == "danger" else "alert-triangle"), title, content,
    )  # fmt: skip


@register.simple_block_tag
def blank(content: str, title: str, text: str, stage: str = "new") -> str:
    """Say what belongs here; the block holds the one step that fills it."""
    return format_html(
        '<div class="blank">{}<h2>{}</h2><p>{}</p>{}</div>', baton_line(stage), title, text, content
    )


@register.simple_block_tag
def sheet(content: str, id: str, title: str, open: bool = False, wide: bool = False) -> str:
    """Put a question over the page; a link to #id opens it, with and without script."""
    return format_html(
        '<dialog class="over" id="{0}" aria-labelledby="{0}-title"{1}><div class="sheet{2}">'
        '<h2 id="{0}-title">{3}</h2>{4}</div></dialog>',
        id, mark_safe(" open" if open else ""), " is-wide" if wide else "", title, content,
    )  # fmt: skip


# ── forms ────────────────────────────────────────────────────────────────

GROUPS = (widgets.RadioSelect, widgets.CheckboxSelectMultiple)


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
    return {"field": field, "kind": kind, "label": label or field.label, "widget": widget}


@register.inclusion_tag("components/field.html")
def field(field: BoundField | str, label: str = "", hint: str | None = None, optional: bool = False) -> dict[str, Any]:
    """Draw one field of a form on a page of Baton."""
    context = _field(field, label, hint)
    if isinstance(field, BoundField) and context["kind"] != "group":
        select = isinstance(context["widget"], widgets.Select)
        css = {"check": "form-check-input", "hidden": ""}.get(context["kind"], "form-select" if select else "form-control")
        context["control"] = _control(field, css)
    return context | {"optional": optional and context["field"] and not context["field"].field.required}


@register.inclusion_tag("components/public_field.html")
def public_field(field: BoundField | str, label: str = "", hint: str | None = None) -> dict[str, Any]:
    """Draw one field of a form on a page for people outside, and on the door."""
    context = _field(field, label, hint)
    if isinstance(field, BoundField) and context["kind"] != "group":
        field.field.widget.attrs.pop("placeholder", None)  # the label says it, and stays while one types
        context["control"] = _control(field, "" if context["kind"] == "check" else "input")
    return context


@register.inclusion_tag("components/errors.html")
def error_summary(form: BaseForm | None, public: bool = False) -> dict[str, Any]:
    """List what is to be put right, each with a link to its field; nothing when all is well."""
    if form is None or not form.errors:
        return {"count": 0}
    wrong = [(field, field.errors[0]) for field in form if field.errors]
    whole = list(form.non_field_errors())
    return {"wrong": wrong, "whole": whole, "count": len(wrong) + len(whole), "public": public}


@register.simple_tag
def password_hint() -> str:
    """Say what a password needs, as the validators are set."""
    options = [validator.get("OPTIONS", {}) for validator in settings.AUTH_PASSWORD_VALIDATORS]
    least = next((option["min_length"] for option in options if "min_length" in option), 8)
    return f"{least} characters or more. A sentence is fine."
