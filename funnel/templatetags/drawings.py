"""The small drawings of a page: the baton, icons, the clock, bars. Sizes are SVG attributes; the policy bars styles."""

from functools import cache, lru_cache
from typing import Any

from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from . import words

MARK = mark_safe(
    '<g transform="rotate(35 12 12)"><path class="t" d="M9 8V3a3 3 0 0 1 6 0v5z"/>'
    '<path class="i" d="M9 9h6v6H9z"/><path class="c" d="M9 16v5a3 3 0 0 0 6 0v-5z"/></g>'
)
HELD = mark_safe(
    '<svg class="held" viewBox="0 0 20 20" aria-hidden="true">'
    '<rect x="6.75" y="1" width="6.5" height="18" rx="3.25" transform="rotate(35 10 10)"/></svg>'
)
# The three legs of the way and how far along each stage stands; lost is with marketing again, a non-lead nowhere.
LEGS = (("c", 2, 22), ("i", 27, 35), ("t", 40, 74))
STANDS = {
    "new": 5, "nurturing": 17, "lost": 17, "ready": 31, "working": 43,
    "qualified": 49, "demo": 56, "negotiation": 63, "customer": 71,
}  # fmt: skip
CURRENT = mark_safe(' aria-current="true"')
MOVES, WARN = mark_safe(" data-moves"), mark_safe(' class="warn"')


@cache
def icon(name: str) -> SafeString:
    """Draw an icon of the sprite; a new name goes into assets/icons.txt."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', static("icons.svg"), name)


def mark(css: str = "baton-mark") -> SafeString:
    """Draw the baton alone."""
    return format_html('<svg class="{}" viewBox="0 0 24 24" aria-hidden="true">{}</svg>', css, MARK)


def held() -> SafeString:
    """Draw the baton where a lead changes hands."""
    return HELD


def baton_line(stage: str) -> SafeString:
    """Draw how far a lead is; the stage stands beside it in words."""
    return _line(str(stage))


@cache
def _line(stage: str) -> SafeString:
    at = STANDS.get(stage, 0)
    behind = [(hue, start, min(at, end)) for hue, start, end in LEGS if at > start]
    baton = '<rect class="at-{}" x="{}" y="0.5" width="5" height="13" rx="2.5" transform="rotate(35 {} 7)"/>'
    return format_html(
        '<svg class="baton-line" viewBox="0 0 76 14" aria-hidden="true">{}{}{}</svg>',
        format_html_join("", '<line x1="{}" y1="7" x2="{}" y2="7"/>', ((start, end) for _, start, end in LEGS)),
        format_html_join("", '<line class="{}" x1="{}" y1="7" x2="{}" y2="7"/>', behind),
        format_html(baton, behind[-1][0], at - 2.5, at) if behind else "",
    )


@lru_cache(1000)
def avatar(name: str | None, size: str = "") -> SafeString:
    """Draw a person's initials; the name stands beside it."""
    css = "avatar is-lg" if size == "lg" else "avatar"
    return format_html('<span class="{}" aria-hidden="true">{}</span>', css, words.initials(name or ""))


@cache
def grade(fit: str | None, engagement: int | str | None) -> SafeString:
    """Show both scores in two characters; what is not scored yet is a dash."""
    says = f"Fit {fit or 'not known yet'}, engagement " + (f"{engagement} of 4" if engagement else "not known yet")
    return format_html(
        '<span class="grade" role="img" aria-label="{0}" title="{0}"><b>{1}</b><b>{2}</b></span>',
        says, fit or words.DASH, engagement or words.DASH,
    )  # fmt: skip


def clock(left: float | None, promise: float = 480, text: str = "") -> SafeString | str:
    """Say how much of the promise is left, both in working minutes; `text` replaces the words."""
    if left is None:
        return ""
    late, soon, calm = left < 0, left < 30, left > promise / 2
    return format_html(
        '<span class="clock{}">{}{}</span>',
        " is-late" if late else " is-soon" if soon else " is-calm" if calm else "",
        icon("alert-circle" if late else "clock"),
        text or (words.lateness(left).capitalize() if late else words.duration(left)),
    )


def burn(left: float | None, promise: float = 480) -> SafeString | str:
    """Draw what is left of the promise as a bar, both in working minutes."""
    if left is None:
        return ""
    whole = max(int(promise), 1)
    hours, rest = divmod(whole, 60)
    of = f"{words.duration(whole)} of working time" if rest else f"{hours} working hour{'' if hours == 1 else 's'}"
    out = left <= 0
    return format_html(
        '<svg class="burn{}" viewBox="0 0 {} 4" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect width="{}" height="4"/></svg>',
        " is-out" if out else "",
        whole,
        f"All {of} used" if out else f"{words.duration(left)} of {of} left",
        whole if out else min(int(left), whole),
    )


def bar(value: float, whole: float, hue: str = "n") -> SafeString:
    """Draw a share as a bar in a cell; hue is c, i, t or n, and the figure stands beside it."""
    width = round(100 * min(max(value, 0), whole) / whole, 1) if whole else 0
    return format_html(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="bg" width="100" height="8" rx="1"/><rect class="{}" width="{}" height="8"/></svg>',
        hue,
        width,
    )


def desk_row(row: Any, group: int, current: Any) -> SafeString:
    """Draw one thing to do on the desk, of the group with this number; `current` is the lead that stands beside."""
    lead = row.lead
    return format_html(
        '<li><a class="do" id="do-{0}-{1}" href="/sales/?lead={1}#lead" hx-get="/sales/?lead={1}"{2}>'
        '<span class="who"><bdi>{3}</bdi>{4}</span> {5} <span class="what"><bdi>{6}</bdi></span> '
        '<span class="foot">{7} <span>{8}</span> {9}</span></a></li>',
        group,
        lead.pk,
        CURRENT if lead.pk == current else "",
        str(lead),
        format_html(" <small><bdi>{}</bdi></small>", lead.company_name) if lead.company_name and lead.name else "",
        format_html('<span class="when">{}</span>', row.when) if row.left is None else clock(row.left, row.promise),
        row.what,
        baton_line(lead.stage),
        lead.get_stage_display(),
        grade(*row.grade),
    )


def deal_menu(context: Any, column: Any, home: str, asked: str) -> SafeString:
    """Draw what stands in the menu of every card of a column."""
    return format_html(
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}"><input type="hidden" name="next" value="{}{}">'
        '<p class="menu-title">Move to</p>{}',
        context["csrf_token"], home, f"?is={asked}" if asked else "",
        format_html_join(
            "", '<button type="submit" name="stage" value="{}">{}</button>',
            ((str(one), one.label) for one in column.others),
        ),
    )  # fmt: skip


def deal_card(card: Any, home: str, menu: SafeString) -> SafeString:
    """Draw one deal on the board; `menu` is what deal_menu gives for its column, `home` the board's address."""
    deal, url = card.deal, card.url
    lead, holder = str(deal.lead), deal.holder.name
    moves = (
        format_html(
            '<details class="menu"><summary id="menu-{pk}" aria-label="Move {lead}">{dots}</summary>'
            '<form class="menu-panel" method="post" action="{url}move/" hx-post="{url}move/" hx-target="#board"'
            ' hx-select="#board" hx-swap="outerHTML" hx-select-oob="#toasts,#notices,#board-head" hx-disinherit="*">'
            '{menu}<a href="{url}won/?next={home}" data-ends="won" hx-get="{url}won/?next={home}"'
            ' hx-target="#deal-sheet" hx-swap="innerHTML">Won…</a><a href="{url}lost/?next={home}" data-ends="lost"'
            ' hx-get="{url}lost/?next={home}" hx-target="#deal-sheet" hx-swap="innerHTML">Lost…</a></form></details>',
            pk=deal.pk, lead=lead, dots=icon("dots"), url=url, menu=menu, home=home,
        )
        if card.may
        else ""
    )  # fmt: skip
    return format_html(
        '<li class="card-deal"{}{}><p class="top"><a href="{}"><bdi>{}</bdi></a><span class="num">{}</span></p>{}{}'
        '<p class="foot">{} <span{}>{}</span> {}<span class="visually-hidden">with <bdi>{}</bdi></span></p>{}</li>',
        MOVES if card.may else "", format_html(' id="deal-{}"', deal.pk), url, lead,
        words.DASH if deal.amount is None else words.money(deal.amount, deal.currency),
        format_html('<span class="under"><bdi>{}</bdi></span>', deal.title) if deal.title != deal.lead.name else "",
        format_html('<p class="next"><bdi>{}</bdi></p>', card.next) if card.next else "",
        baton_line(deal.stage), WARN if card.is_late else "", card.here, avatar(holder), holder, moves,
    )  # fmt: skip


def lead_row(row: Any) -> SafeString:
    """Draw one row of the list of leads; here, because as a template's fifty rows they cost half of the page."""
    left = "" if row.left is None else clock(row.left, row.promise, row.next)
    firm = row.lead.company_name if row.lead.name else ""
    return format_html(
        '<tr><th scope="row"><a href="{}"><bdi>{}</bdi></a>{}{}</th>'
        '<td><span class="holder">{}<span>{}</span></span></td><td>{}</td>'
        '<td class="cell-hide">{}</td><td class="cell-hide">{}</td></tr>',
        row.url,
        str(row.lead),
        format_html('<span class="under"><bdi>{}</bdi></span>', firm) if firm else "",
        format_html('<span class="phone-line">{}</span>', left or row.next) if row.next else "",
        baton_line(row.lead.stage),
        row.stage,
        grade(*row.grade) if row.grade[0] else words.DASH,
        format_html('<span class="holder">{}{}</span>', avatar(row.person), row.with_whom)
        if row.person
        else format_html('<span class="quiet">{}</span>', row.with_whom or words.DASH),
        left or row.next or words.DASH,
    )


def won_row(row: Any, so_far: int, channel: str, card: dict[str, Any]) -> SafeString:
    """Draw one row of what was won, with the sum by then and where the lead came from."""
    amount, total = (words.money(minor, card["currency"]) for minor in (row.base_amount, so_far))
    by = format_html("<td>{}</td>", row.holder.first_name if row.holder else words.DASH) if card.get("by_whom") else ""
    return format_html(
        '<tr><td class="nowrap">{}</td><th scope="row"><a href="/leads/{}/"><bdi>{}</bdi></a>{}</th>{}'
        '<td class="cell-hide"><bdi>{}</bdi></td><td class="num">{}</td><td class="num cell-hide">{}</td></tr>',
        words.short_day(row.occurred_at), row.lead_id, str(row.lead),
        format_html('<span class="under"><bdi>{}</bdi></span>', row.what) if row.what else "",
        by, channel, amount, total,
    )  # fmt: skip
