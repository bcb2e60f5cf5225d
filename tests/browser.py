"""What the tests in a real browser share: windows that are watched, the check by axe-core, and every page's address."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).resolve().parent.parent
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
# A machine that is busy with other tests takes its time; nothing that is promised in seconds is measured by this.
PATIENCE = 30_000
# A script of the page's own would be told of a breach only as a line in the console, and not on every page.
BREACHES = (
    "addEventListener('securitypolicyviolation', e => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI}`))"
)
# A rule says of all that it finds how bad it is, so those that find nothing serious are not asked: a third of the time.
ASKED = """async only => (await axe.run(document, {
    resultTypes: ['violations'],
    ...(only.length ? {runOnly: {type: 'rule', values: only}} : {
        rules: Object.fromEntries(axe._audit.rules
            .filter(rule => ['minor', 'moderate'].includes(rule.impact)).map(rule => [rule.id, {enabled: false}])),
    }),
})).violations"""


def program() -> str | None:
    """Where Chromium is, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play, contextlib.closing(play.chromium.launch(executable_path=program())) as browser:
        yield browser


class Window:
    """One person's browser, and everything in it that a person would call broken."""

    def __init__(
        self, browser: Browser, home: str, *, phone: bool = False, js: bool = True, zone: str = "Europe/London"
    ) -> None:
        self.home, self.troubles = home, []  # type: str, list[str]
        # Pages whose answer is meant to be a refusal: the console names their status as an error.
        self.refused: set[str] = set()
        self.context: BrowserContext = browser.new_context(
            base_url=home, viewport=PHONE if phone else WIDE, color_scheme="light",  # type: ignore[arg-type]
            java_script_enabled=js, locale="en-GB", timezone_id=zone, reduced_motion="reduce",
            has_touch=phone,
        )  # fmt: skip
        self.context.set_default_timeout(PATIENCE)
        self.context.add_init_script(BREACHES)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.troubles.append(f"error: {error.error}"))
        self.context.on("request", self._asked)
        self.context.on("response", self._answered)
        self.page: Page = self.context.new_page()

    def _said(self, message: Any) -> None:
        where = message.location.get("url", "")
        if "the server responded with a status of" in message.text and urlsplit(where).path in self.refused:
            return
        if message.type in ("error", "warning"):
            self.troubles.append(f"{message.type} on {self.page.url}: {message.text} ({where})")

    def _asked(self, request: Any) -> None:
        if request.url.startswith("http") and urlsplit(request.url).netloc != urlsplit(self.home).netloc:
            self.troubles.append(f"another host is asked: {request.url}")

    def _answered(self, response: Any) -> None:
        if response.status >= 500 or (response.status >= 400 and urlsplit(response.url).path not in self.refused):
            self.troubles.append(f"{response.status}: {response.url}")

    def log_in(self, email: str, password: str) -> None:
        """Log in by the page that everybody uses."""
        self.page.goto("/accounts/login/")
        self.page.fill("input[name=login]", email)
        self.page.fill("input[name=password]", password)
        self.page.press("input[name=password]", "Enter")
        self.page.wait_for_url(lambda url: "/accounts/login/" not in url)

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def faults(self, *, only: tuple[str, ...] = ()) -> list[str]:
        """What axe-core finds that is serious or critical, in words; `only` names the rules to ask."""
        if not self.page.evaluate("typeof axe === 'object'"):
            axe = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
            self.page.evaluate(axe)
            self.context.add_init_script(axe)  # the pages to come have it without being sent it again
        found = self.page.evaluate(ASKED, list(only))
        return [
            f"{one['id']} ({one['impact']}): {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"][:3]
        ]

    def close(self) -> None:
        """Close it and everything in it."""
        self.context.close()


def linked(page: Page, path: str, like: str) -> str:
    """Open a page and give the first address in it that looks like this."""
    page.goto(path)
    for link in page.locator("a[href]").evaluate_all("all => all.map(a => a.getAttribute('href'))"):
        if re.fullmatch(like, link):
            return str(link)
    return ""


ID = "[0-9a-f-]{36}"


def rooms(page: Page) -> dict[str, str]:
    """What leads see of quotes: one that is open, and one that was accepted; each linked from its page."""
    found = {}
    for name, which in (("quote", "open"), ("quote-accepted", "accepted")):
        ours = linked(page, f"/sales/quotes/?is={which}&of=all", rf"/sales/quotes/{ID}/(\?version=\d+)?")
        if theirs := ours and linked(page, ours, "/q/[a-z2-7]+/"):
            found[name] = theirs
    return found


def places(page: Page, role: str) -> dict[str, str]:
    """Every page that this role finds by the navigation or from a list, by name; without rows, fewer."""
    lead = linked(page, "/leads/", f"/leads/{ID}/")
    deal = linked(page, "/sales/board/", f"/sales/deals/{ID}/")
    quote = linked(page, "/sales/quotes/?of=all", f"/sales/quotes/{ID}/")
    whose = "mine" if role == "rep" else "all"
    draft = linked(page, f"/sales/quotes/?is=drafts&of={whose}", f"/sales/quotes/{ID}/")
    campaign = linked(page, "/marketing/campaigns/", f"/marketing/campaigns/{ID}/")
    form = linked(page, "/marketing/forms/", f"/marketing/forms/{ID}/")
    found = {
        "home": "/", "leads": "/leads/", "leads-none-found": "/leads/?q=nobody-is-called-this", "lead": lead,
        "handoffs": "/handoffs/", "rules": "/rules/", "routing": "/handoffs/routing/",
        "rules-version": linked(page, "/rules/", r"/rules/versions/\d+/"),
        "routing-try": "/handoffs/routing/try/", "handoff-figures": "/handoffs/figures/?period=quarter",
        "me": "/me/", "marketing": "/marketing/",
        "campaigns": "/marketing/campaigns/", "campaign": campaign, "forms": "/marketing/forms/", "form": form,
        "submissions": form and f"{form}submissions/", "sources": "/marketing/sources/?is=all",
        "given-back": "/marketing/given-back/?period=all", "questions": "/marketing/questions/",
        "nurture": "/marketing/nurture/", "nurture-back": "/marketing/nurture/?is=back",
        "spent": "/marketing/money/?period=all", "won": "/marketing/money/?is=won&period=all",
        "api-docs": "/api/v1/docs/",
        "board": "/sales/board/", "deal": deal, "deals-ended": "/sales/deals/",
        "quotes": "/sales/quotes/?of=all", "quotes-accepted": "/sales/quotes/?is=accepted&of=all", "quote": quote,
        "products": "/sales/products/",
        "customers": "/sales/customers/",
    }  # fmt: skip
    if role != "viewer":
        found |= {"lead-add": "/leads/add/", "lead-edit": lead and f"{lead}edit/"}
    if role in ("owner", "manager", "marketer"):
        found |= {
            "nurture-add": "/marketing/nurture/mails/add/",
            "nurture-mail": linked(page, "/marketing/nurture/", r"/marketing/nurture/mails/\d+/"),
            "campaign-add": "/marketing/campaigns/add/", "campaign-edit": campaign and f"{campaign}edit/",
            "rules-lines": "/rules/lines/", "rules-sets": "/rules/sets/", "rule-add": "/rules/add/",
            "rule": "/rules/engagement/form/", "form-add": "/marketing/forms/add/", "imports": "/leads/import/",
            "import": linked(page, "/leads/import/", f"/leads/import/{ID}/"), "cost-add": "/marketing/money/costs/add/",
        }  # fmt: skip
    if role in ("owner", "manager", "rep"):
        found |= {"demos": "/sales/demos/", "booking-page": "/sales/booking/"}
        found |= {"demo-book": lead and lead.replace("/leads/", "/sales/leads/") + "demo/"}
        found |= {
            "desk": "/sales/", "month": "/sales/month/?period=quarter",
            "mine": linked(page, "/", "/sales/mine/") or "/sales/mine/",
            "deal-add": "/sales/deals/add/", "deal-open": lead and f"/sales{lead}deal/",
            "deal-edit": deal and f"{deal}edit/", "deal-won": deal and f"{deal}won/",
            "deal-lost": deal and f"{deal}lost/", "quote-edit": draft, "quote-send": draft and f"{draft}?send=1",
        }  # fmt: skip
    if role in ("owner", "manager"):
        found |= {
            "routing-add": "/handoffs/routing/add/",
            "routing-edit": linked(page, "/handoffs/routing/", r"/handoffs/routing/\d+/"),
        }
        product = linked(page, "/sales/products/", f"/sales/products/{ID}/")
        found |= {
            "reasons": "/rules/reasons/", "reason": linked(page, "/rules/reasons/", r"/rules/reasons/\d+/"),
            "reason-add": "/rules/reasons/add/",
            "product": product, "product-add": "/sales/products/add/",
            "people": "/people/", "people-remove": linked(page, "/people/", f"/people/{ID}/remove/"),
            "holidays": "/holidays/", "targets": "/sales/targets/",
            "status": "/status/", "fields": "/fields/", "start": "/start/",
        }  # fmt: skip
    if role == "owner":
        found |= {"currencies": "/currencies/", "keys": "/keys/", "business": "/business/", "mailbox": "/mailbox/"}
    return {name: path for name, path in found.items() if path}


# What somebody sees who has not logged in, and what no address leads to.
DOORS = {
    "sign-in": "/accounts/login/",
    "sign-up": "/accounts/signup/",
    "password": "/accounts/password/",
    "nothing-here": "/nothing-here/",
    "invitation-ended": "/join/nothing/",
}
