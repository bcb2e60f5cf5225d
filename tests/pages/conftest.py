"""Parts of pages, drawn without the rest of the application: no view, no row, no manifest."""

import contextlib
import mimetypes
import re
import shutil
from pathlib import Path

import pytest
from django.template import engines
from django.test import RequestFactory
from django.urls import include, path

from funnel.templatetags import drawings
from tests.browser import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build" / "assets"

# Only the door's addresses: the shell names nothing else by itself.
urlpatterns = [path("accounts/", include("allauth.urls"))]

SHELL = {
    "nav": [
        {
            "wing": "sales",
            "title": "Sales",
            "items": [
                {"url": "/desk/", "icon": "checklist", "label": "Desk", "count": 9, "current": True},
                {"url": "/leads/", "icon": "users", "label": "Leads", "count": None, "current": False},
            ],
        }
    ],
    "tabs": [{"url": "/desk/", "icon": "checklist", "label": "Desk", "current": True}],
    "businesses": [
        {"name": "Ternbrook Solar", "url": "/switch/1/", "current": True},
        {"name": "Ternbrook Roofing", "url": "/switch/2/", "current": False},
    ],
    "me": {"name": "Hannah Whitlock", "initials": "HW", "role_label": "Sales rep"},
    "menu": [{"url": "/me/", "icon": "settings", "label": "Your settings", "current": False}],
    "worker_hint": {"text": "Up to date, 4 seconds ago", "late": False},
    "search_url": "/leads/#find",
}


@pytest.fixture(autouse=True)
def plain_static(settings):
    """Name static files as they are built, so that a part can be drawn before they are collected."""
    settings.ROOT_URLCONF = __name__
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    drawings.icon.cache_clear()
    yield
    drawings.icon.cache_clear()


@pytest.fixture
def draw():
    """Render a template's text with the shell's context, without the context processors that read rows."""
    engine = engines["django"].engine

    def drawn(text: str, **context) -> str:
        from django.template import Context

        page = engine.from_string(text)
        given = Context({"request": RequestFactory().get("/desk/"), "csrf_token": "token"} | SHELL | context)
        return page.render(given)

    return drawn


HOST = "http://baton.test"
PAGE = (Path(__file__).parent / "desk.html").read_text()


@pytest.fixture(scope="module")
def chromium():
    """Open only while this file runs: an open Playwright makes Django take its thread for an asynchronous one."""
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as play,
        contextlib.closing(play.chromium.launch(executable_path=shutil.which("chromium"))) as browser,
    ):
        yield browser


class Site:
    """Answers from memory what the pages ask for, with the policy of settings.py on every answer."""

    def __init__(self, draw, policy):
        self.draw, self.policy = draw, policy
        self.asked, self.answers = [], {}
        self.context = {"count": 2, "names": ["Daniel", "Judith", "Eleanor"], "name": "Daniel"}

    def __call__(self, route):
        request = route.request
        path = request.url.removeprefix(HOST)
        self.asked.append((request.method, path, request.headers))
        if path.startswith("/static/"):
            file = BUILT / path.removeprefix("/static/")
            route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(file.name)[0] or "font/woff2")
            return
        status, body = self.answers.get(path.partition("?")[0], (200, None))
        if found := re.fullmatch(r"/desk/(\w+)/", path):
            body = self.draw(PAGE, **self.context | {"name": found[1]})
        route.fulfill(
            status=status,
            body=body or self.draw(PAGE, **self.context),
            headers={"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": self.policy},
        )

    def posts(self):
        return [(path, headers) for method, path, headers in self.asked if method == "POST"]


@pytest.fixture
def site(draw, settings):
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    return Site(draw, "; ".join(f"{name} {' '.join(values)}" for name, values in directives.items()))


@pytest.fixture
def open_page(chromium, site):
    """Open pages in fresh windows; afterwards no window may have logged an error or a breach of the policy."""
    said, windows = [], []

    def opened(path="/desk/", **options):
        window = chromium.new_context(base_url=HOST, viewport=options.pop("viewport", None), **options)
        windows.append(window)
        window.route("**/*", site)
        page = window.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path)
        return page

    yield opened
    for window in windows:
        window.close()
    # A refused request is what some tests are about.
    refused = ("status of", "Response Status Error", "ERR_CONNECTION_REFUSED", "htmx:sendError", "htmx:afterRequest")
    assert [line for line in said if not any(words in line for words in refused)] == []


def becomes(page, expression, wanted, left=PATIENCE // 100):
    """Wait for a value; Playwright's own waiting evaluates text in the page, which the policy bars."""
    while page.evaluate(expression) != wanted and left:
        left -= 1
        page.wait_for_timeout(100)
    assert page.evaluate(expression) == wanted
