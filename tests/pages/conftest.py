"""Parts of pages, drawn without the rest of the application: no view, no row, no manifest."""

from pathlib import Path

import pytest
from django.template import engines
from django.test import RequestFactory
from django.urls import include, path

from funnel.templatetags import drawings

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
