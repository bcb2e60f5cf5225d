"""What stands around every page: the places of one's role, one's businesses, and what is late."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from funnel.mail.actions import NOT_TRIED, is_sent
from funnel.mail.servers import has_server
from funnel.overview.health import worker_hint
from funnel.templatetags.words import initials
from funnel.workspaces.models import LEADERS, Member, Role, Workspace
from funnel.workspaces.roles import MARKETING, may


@dataclass(frozen=True)
class Place:
    """A page in the navigation; `under` names the pages that belong to it, `roles` those who find it there."""

    name: str
    icon: str
    label: str
    roles: frozenset[str] = frozenset(Role)
    under: tuple[str, ...] = ()


# The tabs above the pages about the business itself.
SETTINGS = (
    ("business", "Business and mail", "business", ("letterhead", "mail-server")),
    ("people", "People", "people", ("member-remove", "invite", "member-password", "member-logout", "time-off-add")),
    ("holidays", "Holidays", "people", ()),
    ("currencies", "Currencies", "business", ()),
    ("keys", "Keys", "business", ("api-docs",)),
    ("fields", "Fields", "people", ()),
    ("mailbox", "Mailbox", "business", ("letter-file",)),
    ("stuck", "Status", "stuck", ()),
)
SELLING = frozenset({*LEADERS, Role.REP})
# Where a form of the desk comes back to with what is to be put right.
DESK = ("sales:take", "sales:give-back", "sales:call", "sales:next-step", "sales:step-move")
DEALS = (
    "sales:deal", "sales:deals", "sales:deal-add", "sales:deal-open", "sales:deal-edit", "sales:deal-won",
    "sales:deal-lost",
)  # fmt: skip
DEMOS = ("sales:booking", "sales:demo-book", "sales:demo-move")
QUOTES = (
    "sales:quote", "sales:quote-write", "sales:quote-send", "sales:products", "sales:product", "sales:product-add",
)  # fmt: skip
ROUTING = (
    "handoff-figures",
    "handoffs-pass",
    "routing",
    "routing-try",
    "routing-add",
    "routing-edit",
    "team-add",
    "team-change",
)
RULES = (
    "rule", "rule-add", "rules-lines", "rules-sets", "rules-version", "rules-changed", "reasons", "reason",
    "reason-add",
)  # fmt: skip
PEOPLE = (
    "business", "letterhead", "mail-server", "member-remove", "member-password", "member-logout", "invite",
    "working-days", "time-off-add", "holidays", "currencies", "keys", "api-docs", "fields",
)  # fmt: skip
NAV: tuple[tuple[str, str, tuple[Place, ...]], ...] = (
    (
        "hall",
        "Hall",
        (
            Place("home", "home", "Home"),
            Place(
                "leads",
                "users",
                "Leads",
                under=(
                    "lead",
                    "lead-add",
                    "lead-edit",
                    "lead-give-back",
                    "lead-ask",
                    "lead-note",
                    "lead-take",
                    "lead-bring-back",
                    "lead-pass",
                    "lead-void",
                ),
            ),
            Place("imports", "upload", "Bring in a list", roles=MARKETING, under=("import", "import-columns")),
            Place("handoffs", "arrows-exchange", "Handoffs", under=ROUTING),
            Place("rules", "adjustments-horizontal", "Rules", under=RULES),
            Place(
                "people",
                "users-group",
                "People and keys",
                roles=frozenset(LEADERS),
                under=PEOPLE,
            ),
            Place("stuck", "refresh", "Status", roles=frozenset(LEADERS), under=("mailbox",)),
        ),
    ),
    (
        "marketing",
        "Marketing",
        (
            Place("marketing:home", "chart-bar", "Overview"),
            Place(
                "marketing:campaigns",
                "speakerphone",
                "Campaigns",
                under=("marketing:campaign", "marketing:campaign-add", "marketing:campaign-edit", "marketing:sources"),
            ),
            Place(
                "marketing:forms",
                "forms",
                "Forms",
                under=("marketing:form", "marketing:form-add", "marketing:form-submissions"),
            ),
            Place("marketing:money", "coins", "Costs", under=("marketing:cost-add",)),
            Place(
                "marketing:given-back",
                "arrow-back-up",
                "Given back",
                under=("marketing:questions", "marketing:question-answer"),
            ),
            Place(
                "marketing:nurture",
                "mail",
                "Nurture mails",
                under=("marketing:nurture-add", "marketing:nurture-step", "marketing:nurture-set-up"),
            ),
        ),
    ),
    (
        "sales",
        "Sales",
        (
            Place("sales:desk", "checklist", "Desk", roles=SELLING, under=DESK),
            Place("sales:mine", "user", "My leads", roles=SELLING),
            Place("sales:board", "layout-kanban", "Deals", under=DEALS),
            Place("sales:customers", "building-store", "Customers"),
            Place("sales:demos", "calendar", "My demos", roles=SELLING, under=DEMOS),
            Place("sales:month", "calendar-stats", "My month", roles=SELLING),
            Place("sales:targets", "target", "Targets", roles=frozenset(LEADERS)),
            Place("sales:quotes", "file-invoice", "Quotes", under=QUOTES),
        ),
    ),
)
# Five places at most under the thumb, by role; a viewer reads what marketing reads.
TABS: dict[str, tuple[str, ...]] = {
    Role.OWNER: ("home", "leads", "handoffs", "sales:desk", "marketing:home"),
    Role.MANAGER: ("home", "leads", "handoffs", "sales:desk", "marketing:home"),
    Role.MARKETER: ("marketing:home", "leads", "marketing:campaigns", "marketing:forms", "handoffs"),
    Role.REP: ("sales:desk", "sales:mine", "leads", "sales:board", "handoffs"),
    Role.VIEWER: ("leads", "handoffs", "marketing:home", "marketing:campaigns"),
}
# Pages on which somebody does what makes a mail.
MAILING = frozenset(
    {
        "people",
        "business",
        "mailbox",
        "stuck",
        "handoffs",
        "handoff-pass",
        "lead-add",
        "lead-pass",
        "marketing:form",
        "marketing:form-add",
        "marketing:nurture",
        "marketing:nurture-add",
        "marketing:nurture-step",
        "sales:quote",
        "sales:demo-book",
        "sales:demo-move",
    }
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Give templates what base.html draws around a page; nothing is read before it is drawn."""
    member: Member | None = getattr(request, "member", None)
    user = getattr(request, "user", None)
    if member is None:
        in_ = bool(user and user.is_authenticated)
        return {
            "nav": [],
            "tabs": [],
            "businesses": [],
            "menu": [],
            "me": {"name": str(user), "initials": initials(str(user)), "role_label": "Logged in"} if in_ else None,
            "mail_notice": SimpleLazyObject(_mail_never_went),
            "start_url": _url("start") if in_ else "",
            "signup_url": _url("account_signup"),
        }
    if getattr(request, "api_key", None):
        return {}
    here = request.resolver_match.view_name if request.resolver_match else ""
    return {
        "nav": SimpleLazyObject(lambda: _nav(member, here)),
        "tabs": SimpleLazyObject(lambda: _tabs(member, here)),
        "businesses": SimpleLazyObject(lambda: _businesses(request, member)),
        "menu": SimpleLazyObject(lambda: _menu(member, here)),
        "settings_nav": SimpleLazyObject(lambda: _settings(member, here)),
        "me": {"name": member.name, "initials": initials(member.name), "role_label": member.get_role_display()},
        "worker_hint": SimpleLazyObject(lambda: _worker(request, member)),
        "mail_notice": SimpleLazyObject(lambda: _mail_notice(member, here)),
        "start_url": _url("start"),
        "search_url": _url("leads"),
    }


@cache
def _url(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _item(place: Place, here: str) -> dict[str, Any]:
    return {
        "url": _url(place.name),
        "icon": place.icon,
        "label": place.label,
        "count": None,
        "current": here == place.name or here in place.under,
    }


def _nav(member: Member, here: str) -> list[dict[str, Any]]:
    wings = []
    for wing, title, places in NAV:
        items = [_item(place, here) for place in places if member.role in place.roles]
        if items := [item for item in items if item["url"]]:
            wings.append({"wing": wing, "title": title, "items": items})
    return wings


def _tabs(member: Member, here: str) -> list[dict[str, Any]]:
    places = {place.name: place for _, _, listed in NAV for place in listed}
    items = [_item(places[name], here) for name in TABS[member.role]]
    for item in items:
        item["label"] = {"Overview": "Marketing"}.get(item["label"], item["label"])
    return [item for item in items if item["url"]]


def _businesses(request: HttpRequest, member: Member) -> list[dict[str, Any]]:
    mine: list[Member] = getattr(request, "memberships", None) or [member]
    return [
        {
            "name": one.workspace.name,
            "url": reverse("home") if one.pk == member.pk else reverse("switch", args=[one.workspace_id]),
            "current": one.pk == member.pk,
        }
        for one in mine
    ]


def _menu(member: Member, here: str) -> list[dict[str, Any]]:
    listed = [Place("me", "settings", "Your settings")]
    if may(member, "business"):
        listed.append(Place("business", "building-store", "Business and mail"))
    return [item for item in (_item(place, here) for place in listed) if item["url"]]


def _settings(member: Member, here: str) -> list[dict[str, Any]]:
    return [
        {"url": _url(name), "label": label, "current": here == name or here in under}
        for name, label, what, under in SETTINGS
        if may(member, what) and _url(name)
    ]


def _worker(request: HttpRequest, member: Member) -> dict[str, Any] | None:
    hint = worker_hint(member.workspace_id, leads_others=member.leads_others)
    if hint is None:
        return None
    return hint | {"url": _url("stuck") if hint["late"] and may(member, "stuck") else ""}


def _mail_notice(member: Member, here: str) -> dict[str, Any] | None:
    if here not in MAILING or is_sent(member.workspace):
        return None
    if member.workspace.is_demo:
        return {"text": "The demo business keeps its letters in the local mailbox and never sends them.", "url": ""}
    url = _url("business") + "#mail" if may(member, "business") and here != "business" else ""
    if has_server(member.workspace):
        text = f"A test mail shows whether it works{'' if url or here == 'business' else '; the owner can send one'}."
        return {"title": NOT_TRIED, "text": text, "url": url, "step": "Send a test mail"}
    if may(member, "business"):
        return {"text": "", "url": url}
    return {"text": "Letters are kept, and every link can be copied. The owner can set up mail.", "url": ""}


def _mail_never_went() -> bool:
    """Outside a business: whether no letter about a log-in could arrive."""
    return not settings.EMAIL_URL and not Workspace.objects.filter(mail_proved_at__isnull=False).exists()
