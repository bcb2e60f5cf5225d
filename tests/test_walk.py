"""Who gets in where: every address, every role, with real rows; a new address without an entry here fails."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from funnel.handoff.models import GiveBackReason, Handoff, Question
from funnel.handoff.routing_rules import put_rule, put_team
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.ledger.actions import book_cost
from funnel.mail.files import File
from funnel.mail.models import Message
from funnel.outbox.models import Effect, Event
from funnel.people import away
from funnel.scoring import changing
from funnel.scoring.models import RuleVersion
from funnel.scoring.rules import default_rules
from funnel.transfer.models import Import
from funnel.workspaces.models import ApiKey, Invitation, TimeOff
from marketing.campaigns.models import Campaign, Placement
from marketing.capture.models import Form, Submission
from marketing.nurture.models import Enrollment, Sequence, Step
from sales.deals import actions as deals
from sales.demos.models import Demo
from sales.negotiation import actions as quotes
from sales.negotiation import pricelist
from sales.negotiation.models import Product
from sales.queue.models import Task
from tests.conftest import make_member, undone

ROLES = ("owner", "manager", "marketer", "rep", "viewer")
ALL = set(ROLES)
LEADING = {"owner", "manager"}
MARKETING = LEADING | {"marketer"}
SELLING = LEADING | {"rep"}
CHANGING = MARKETING | {"rep"}
OWNER = {"owner"}

# name: (method, who gets in, what stands for the address's parameter)
PAGES: dict[str, tuple[str, set[str], str]] = {
    "home": ("GET", ALL, ""),
    "leads": ("GET", ALL, ""),
    "lead-add": ("GET", CHANGING, ""),
    "lead": ("GET", ALL, "lead"),
    "lead-take": ("POST", SELLING, "lead"),
    "lead-give-back": ("POST", SELLING, "lead"),
    "lead-ask": ("POST", SELLING, "lead"),
    "lead-note": ("POST", CHANGING, "lead"),
    "lead-disqualify": ("POST", CHANGING, "lead"),
    "lead-bring-back": ("POST", CHANGING, "lead"),
    "lead-pass": ("POST", SELLING, "lead"),
    "lead-edit": ("GET", CHANGING, "lead"),
    "lead-void": ("POST", MARKETING, "lead+event"),
    "imports": ("GET", MARKETING, ""),
    "import": ("GET", MARKETING, "list"),
    "import-columns": ("POST", MARKETING, "list"),
    "import-read": ("POST", MARKETING, "list"),
    "import-begin": ("POST", MARKETING, "list"),
    "import-change": ("POST", MARKETING, "list"),
    "import-stop": ("POST", MARKETING, "list"),
    "import-go-on": ("POST", MARKETING, "list"),
    "import-leave": ("POST", MARKETING, "list"),
    "import-remove": ("POST", MARKETING, "list"),
    "import-refused": ("GET", MARKETING, "list"),
    "handoffs": ("GET", ALL, ""),
    "handoffs-go": ("POST", LEADING, ""),
    "handoffs-pass": ("POST", LEADING, ""),
    "handoff-figures": ("GET", ALL, ""),
    "handoff-pass": ("POST", LEADING, "handoff"),
    "routing": ("GET", ALL, ""),
    "routing-try": ("GET", ALL, ""),
    "routing-add": ("GET", LEADING, ""),
    "routing-edit": ("GET", LEADING, "routing_rule"),
    "routing-move": ("POST", LEADING, "routing_rule"),
    "routing-remove": ("POST", LEADING, "routing_rule"),
    "team-add": ("POST", LEADING, ""),
    "team-change": ("POST", LEADING, "team"),
    "team-remove": ("POST", LEADING, "team"),
    "rules": ("GET", ALL, ""),
    "rules-version": ("GET", ALL, "version"),
    "rules-changed": ("GET", ALL, ""),
    "rules-grid": ("POST", MARKETING, ""),
    "rules-lines": ("GET", MARKETING, ""),
    "rules-sets": ("GET", MARKETING, ""),
    "rules-try": ("POST", MARKETING, ""),
    "rules-publish": ("POST", MARKETING, ""),
    "rules-drop": ("POST", MARKETING, ""),
    "rules-back": ("POST", MARKETING, "version"),
    "rule-add": ("GET", MARKETING, ""),
    "rule": ("GET", MARKETING, "rule"),
    "rule-move": ("POST", MARKETING, "rule"),
    "reasons": ("GET", LEADING, ""),
    "reason-add": ("GET", LEADING, ""),
    "reason": ("GET", LEADING, "reason"),
    "reason-move": ("POST", LEADING, "reason"),
    "reason-retire": ("POST", LEADING, "reason"),
    "reason-again": ("POST", LEADING, "reason"),
    "fields": ("GET", ALL, ""),
    "stuck": ("GET", LEADING, ""),
    "stuck-all": ("POST", LEADING, ""),
    "stuck-again": ("POST", LEADING, "effect"),
    "me": ("GET", ALL, ""),
    "people": ("GET", LEADING, ""),
    "invite": ("POST", LEADING, ""),
    "time-off-add": ("POST", LEADING, ""),
    "time-off-remove": ("POST", ALL, "time_off"),
    "holidays": ("GET", LEADING, ""),
    "holiday-remove": ("POST", LEADING, "holiday"),
    "invitation-withdraw": ("POST", LEADING, "invitation"),
    "member-remove": ("GET", LEADING, "member"),
    "working-days": ("GET", LEADING, "seller"),
    "member-logout": ("POST", LEADING, "member"),
    "member-password": ("POST", OWNER, "member"),
    "api-docs": ("GET", ALL, ""),
    "keys": ("GET", OWNER, ""),
    "key-revoke": ("POST", OWNER, "key"),
    "business": ("GET", OWNER, ""),
    "letterhead": ("POST", OWNER, ""),
    "mail-server": ("POST", OWNER, ""),
    "mail-test": ("POST", OWNER, ""),
    "currencies": ("GET", OWNER, ""),
    "mailbox": ("GET", OWNER, ""),
    "letter-again": ("POST", OWNER, "message"),
    "letter-file": ("GET", OWNER, "message+file"),
    "marketing:home": ("GET", ALL, ""),
    "marketing:given-back": ("GET", ALL, ""),
    "marketing:questions": ("GET", ALL, ""),
    "marketing:question-answer": ("POST", MARKETING, "question"),
    "marketing:nurture": ("GET", ALL, ""),
    "marketing:nurture-set-up": ("POST", MARKETING, ""),
    "marketing:nurture-add": ("GET", MARKETING, ""),
    "marketing:nurture-step": ("GET", MARKETING, "mail"),
    "marketing:nurture-remove": ("POST", MARKETING, "mail"),
    "marketing:nurture-test": ("POST", MARKETING, "mail"),
    "marketing:nurture-stop": ("POST", CHANGING, "enrollment"),
    "marketing:nurture-enroll": ("POST", MARKETING, "lead"),
    "marketing:nurture-no-mail": ("POST", CHANGING, "lead"),
    "marketing:nurture-mail-again": ("POST", CHANGING, "lead"),
    "marketing:campaigns": ("GET", ALL, ""),
    "marketing:campaign-add": ("GET", MARKETING, ""),
    "marketing:campaign": ("GET", ALL, "campaign"),
    "marketing:campaign-edit": ("GET", MARKETING, "campaign"),
    "marketing:forms": ("GET", ALL, ""),
    "marketing:form-add": ("GET", MARKETING, ""),
    "marketing:form": ("GET", ALL, "form"),
    "marketing:form-qr": ("GET", ALL, "form"),
    "marketing:form-shared": ("POST", MARKETING, "form"),
    "marketing:form-submissions": ("GET", ALL, "form"),
    "marketing:submission-release": ("POST", MARKETING, "submission"),
    "marketing:money": ("GET", ALL, ""),
    "marketing:cost-add": ("GET", MARKETING, ""),
    "marketing:cost-back": ("POST", MARKETING, "cost"),
    "marketing:sources": ("GET", ALL, ""),
    "marketing:source": ("POST", MARKETING, "placement"),
    "sales:desk": ("GET", SELLING, ""),
    "sales:month": ("GET", SELLING, ""),
    "sales:targets": ("GET", LEADING, ""),
    "sales:news": ("GET", SELLING, ""),
    "sales:mine": ("GET", SELLING, ""),
    "sales:take": ("POST", SELLING, "lead"),
    "sales:give-back": ("POST", SELLING, "lead"),
    "sales:call": ("POST", SELLING, "lead"),
    "sales:next-step": ("POST", SELLING, "lead"),
    "sales:demos": ("GET", SELLING, ""),
    "sales:booking": ("GET", SELLING, ""),
    "sales:demo-book": ("GET", SELLING, "lead"),
    "sales:demo-move": ("GET", SELLING, "demo"),
    "sales:demo-cancel": ("POST", SELLING, "demo"),
    "sales:demo-held": ("POST", SELLING, "demo"),
    "sales:demo-missed": ("POST", SELLING, "demo"),
    "sales:step-done": ("POST", SELLING, "task"),
    "sales:step-move": ("POST", SELLING, "task"),
    "sales:board": ("GET", ALL, ""),
    "sales:deals": ("GET", ALL, ""),
    "sales:deal": ("GET", ALL, "deal"),
    "sales:deal-add": ("GET", SELLING, ""),
    "sales:deal-open": ("GET", SELLING, "lead"),
    "sales:deal-edit": ("GET", SELLING, "deal"),
    "sales:deal-move": ("POST", SELLING, "deal"),
    "sales:deal-won": ("GET", SELLING, "deal"),
    "sales:deal-lost": ("GET", SELLING, "deal"),
    "sales:deal-undo": ("POST", SELLING, "deal"),
    "sales:customers": ("GET", ALL, ""),
    "sales:qualify": ("POST", SELLING, "lead"),
    "sales:quotes": ("GET", ALL, ""),
    "sales:quote": ("GET", ALL, "quote"),
    "sales:quote-write": ("POST", SELLING, "quote"),
    "sales:quote-send": ("POST", SELLING, "quote"),
    "sales:quote-change": ("POST", SELLING, "quote"),
    "sales:quote-withdraw": ("POST", SELLING, "quote"),
    "sales:quote-discard": ("POST", SELLING, "quote"),
    "sales:quote-pdf": ("GET", ALL, "quote"),
    "sales:quote-add": ("POST", SELLING, "deal"),
    "sales:quote-with": ("POST", SELLING, "lead"),
    "sales:products": ("GET", ALL, ""),
    "sales:product-add": ("GET", LEADING, ""),
    "sales:product": ("GET", LEADING, "product"),
    "sales:product-archive": ("POST", LEADING, "product"),
}
# Whoever has logged in, whatever the business; these look after themselves.
PERSONAL = {"start", "switch", "me-logout"}
PUBLIC = {
    "brand",
    "healthz", "readyz", "join", "account_login", "account_logout", "account_signup", "account_inactive",
    "account_reset_password", "account_reset_password_done", "account_reset_password_from_key",
    "account_reset_password_from_key_done", "public-form", "public-thanks", "public-frame", "public-frame-thanks",
    "booking", "booking-confirm", "meeting", "meeting-times", "meeting-confirm", "meeting-cancel", "meeting-calendar",
    "public-frame-script", "public-file",
    "public-quote", "public-quote-ask", "public-quote-decline", "public-quote-pdf", "logo", "mail-preferences",
    "mail-link",
}  # fmt: skip


def addresses():
    """(name, view) of every address outside the API."""

    def walk(resolver, space):
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLPattern):
                yield f"{space}{pattern.name}", pattern.callback
            else:
                yield from walk(pattern, space + (f"{pattern.namespace}:" if pattern.namespace else ""))

    return [(name, view) for name, view in walk(get_resolver(), "") if not name.startswith("api:")]


def test_every_address_stands_in_the_table():
    assert {name for name, _ in addresses()} == set(PAGES) | PERSONAL | PUBLIC


def test_only_the_listed_doors_are_public():
    assert {name for name, view in addresses() if getattr(view, "public", False)} == PUBLIC


@pytest.fixture
def cast(owner, manager, marketer, rep, viewer):
    return {"owner": owner, "manager": manager, "marketer": marketer, "rep": rep, "viewer": viewer}


def carried(message):
    return [File("hello.txt", "text/plain", b"Hello".strip)]


def _demo(at, lead, rep):
    return Demo.objects.create(
        workspace=rep.workspace, lead=lead, holder=rep, title="Visit", starts_at=at, ends_at=at + timedelta(hours=1),
        digest="x", made_at=at, updated_at=at,
    )  # fmt: skip


def _mail(workspace, at):
    sequence = Sequence.objects.create(workspace=workspace, made_at=at)
    return Step.objects.create(
        workspace=workspace, sequence=sequence, position=1, days=3, subject="Roofs", text="What a roof costs."
    )


def _closed(owner, at):
    day = owner.workspace.local(at).date()
    away.close(owner.workspace, day, day, "", by=owner, at=at)
    return day.isoformat()


@pytest.fixture
def rows(cast, gate, work, settings):
    """One real row for every parameter: a lead that waits for the rep, and what hangs on it."""
    rep, owner = cast["rep"], cast["owner"]
    settings.MAIL_FILES = {"handoff": f"{__name__}.carried"}
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "axes" not in one]
    with gate(owner) as at:
        capture = Capture(kind="form", email="a@one.example", asks=True, channel="radio", campaign="Spring")
        receive(owner.workspace, [capture], at=at)
    work()
    with gate(owner) as at:
        lead = Lead.objects.get()
        invitation = Invitation.objects.create(
            workspace=owner.workspace, email="new@one.example", role="rep", invited_by=owner, created_at=at,
            expires_at=at,
        )  # fmt: skip
        key = ApiKey.objects.create(
            workspace=owner.workspace, member=owner, name="k", prefix="bt_", digest="x" * 64, created_at=at
        )
        form = Form.objects.get()
        submission = Submission.objects.create(
            workspace=owner.workspace, form=form, typed={}, quarantined=True, received_at=at
        )
        spare = make_member(owner.workspace, "viewer", "Sven Spare")
        cost = book_cost(lead.source, 500, "GBP", workspace=owner.workspace, by=owner, at=at)
        task = Task.objects.create(workspace=owner.workspace, lead=lead, holder=rep, what="Call", due_at=at, made_at=at)
        (buyer,) = receive(owner.workspace, [Capture(email="b@one.example")], at=at)
        deal = deals.open_deal(buyer.lead, by=rep, at=at, amount=100)
        quote = quotes.draft(deal, [quotes.LineDraft("Roof", 10_000, 500)], by=rep, at=at).quote
        product = pricelist.add(Product(name="Roof"), {"GBP": 500}, by=owner, at=at)
        own = {"key": "walked", "field": "name", "when": "contains", "value": "a", "points": 1}
        changing.save_draft({**default_rules(), "fit": [own]}, by=owner, at=at)
        today = owner.workspace.local(at).date()
        days = {"workspace": owner.workspace, "first": today, "last": today}
        listed = Import.objects.create(
            workspace=owner.workspace, by=owner, file_name="list.csv", made_at=at, updated_at=at
        )
        rule = put_rule(
            None, name="Radio", conditions=[{"field": "channel", "is": "filled"}], to=rep, team=None, by=owner, at=at
        )
        return {
            "team": [put_team(None, name="North", members=[rep], by=owner, at=at).pk],
            "routing_rule": [rule.pk],
            "time_off": [TimeOff.objects.create(member=spare, made_at=at, **days).pk],
            "holiday": [_closed(owner, at)],
            "demo": [_demo(at, lead, rep).pk],
            "lead": [lead.pk],
            "list": [listed.pk],
            "lead+event": [lead.pk, Event.objects.get(kind="form").pk],
            "handoff": [Handoff.objects.get().pk],
            "question": [Question.objects.create(workspace=owner.workspace, lead=lead, words="Who?", asked_at=at).pk],
            "mail": [_mail(owner.workspace, at).pk],
            "enrollment": [
                Enrollment.objects.create(workspace=owner.workspace, lead=lead, digest="x", enrolled_at=at).pk
            ],
            "reason": [GiveBackReason.objects.first().pk],
            "effect": [Effect.objects.first().pk],
            "invitation": [invitation.pk],
            "member": [spare.pk],
            "seller": [rep.pk],
            "key": [key.pk],
            "message": [Message.objects.first().pk],
            "message+file": [Message.objects.first().pk, 0],
            "campaign": [Campaign.objects.get().pk],
            "form": [form.pk],
            "submission": [submission.pk],
            "placement": [Placement.objects.first().pk],
            "task": [task.pk],
            "deal": [deal.pk],
            "quote": [quote.pk],
            "product": [product.pk],
            "cost": [cost.pk],
            "version": [RuleVersion.objects.get().pk],
            "rule": ["fit", "walked"],
            "": [],
        }


def ask(client: Client, method: str, address: str) -> int:
    client.raise_request_exception = False
    return (client.get(address) if method == "GET" else client.post(address)).status_code


def walk(name, cast, rows, outsider, browse):
    """Ask for one address as everybody, the rightful last; what acts is done by one of them, the rules do the rest."""
    method, who, what = PAGES[name]
    address = reverse(name, args=rows[what])
    welcome = {200, 302} if method == "GET" else {200, 204, 302, 303, 400, 409, 422}
    for role in sorted(ALL - who):
        assert ask(browse(cast[role]), method, address) == 403, f"{role} gets into {name}"
    if what:
        assert ask(browse(outsider), method, address) == 404, f"an outsider learns of {name}"
    assert ask(Client(), method, address) == 302, f"{name} is open to everybody"
    assert re.match(r"/accounts/login/", Client().generic(method, address).headers["Location"])
    for role in sorted(who, key=ROLES.index)[: None if method == "GET" else 1]:
        status = ask(browse(cast[role]), method, address)
        assert status in welcome, f"{role} gets {status} from {name}"


def test_the_rightful_read_every_page_and_nobody_else(cast, rows, outsider, browse):
    for name, (method, _, _) in PAGES.items():
        if method == "GET":
            walk(name, cast, rows, outsider, browse)


def test_the_rightful_may_act_and_nobody_else(cast, rows, outsider, browse):
    for name, (method, _, _) in PAGES.items():
        if method == "POST":
            with undone():
                walk(name, cast, rows, outsider, browse)


def test_the_table_is_what_the_views_say(cast):
    from funnel.workspaces.roles import MAY

    for name, view in addresses():
        if name in PAGES:
            assert {str(role) for role in MAY[view.allowed]} == PAGES[name][1], name


@pytest.mark.once
def test_every_route_and_slot_names_something_that_is_there():
    from django.utils.module_loading import import_string

    for routes in settings.EVENT_ROUTES.values():
        for dotted in routes.values():
            assert callable(import_string(dotted))
    for dotted in (name for names in settings.SLOTS.values() for name in names):
        assert import_string(dotted) is not None
