"""What every page has around it."""

import re

import pytest
from django import forms
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.template.loader import render_to_string

from funnel.overview.navigation import NAV
from tests.pages.conftest import ROOT

pytestmark = pytest.mark.once
PAGE = (
    '{% extends "base.html" %}{% block title %}Desk{% endblock %}{% block wing %}sales{% endblock %}'
    "{% block content %}<h1>9 to do</h1>{% endblock %}"
)


def test_a_page_says_where_one_is(draw):
    page = draw(PAGE)
    assert "<title>Desk · Baton</title>" in page
    assert '<body data-wing="sales"' in page
    assert '<span class="name">Desk</span>' in page
    assert re.search(r'<a href="/desk/" aria-current="page">.*?Desk <span class="count">9</span>', page)
    assert 'href="/leads/"' in page
    assert page.count("<main") == page.count("</main>") == 1
    assert '<a class="skip" href="#main">' in page


def test_what_changes_something_is_a_post_with_a_token(draw):
    page = draw(PAGE)
    for action in ("/switch/2/", "/accounts/logout/"):
        form = re.search(rf'<form method="post" action="{action}">.*?</form>', page, re.DOTALL)[0]
        assert 'name="csrfmiddlewaretoken"' in form
    assert "/switch/1/" in page


def test_a_page_outside_a_business_has_a_bare_shell(draw):
    page = draw(PAGE, nav=[], tabs=[], businesses=[], me=None, menu=[], worker_hint=None, search_url=None)
    assert "Log out" not in page
    assert "tabbar" not in page
    assert "<h1>9 to do</h1>" in page


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(draw):
    for path in (ROOT / "templates").rglob("*.html"):
        if {"mail", "email"} & set(path.parts):
            continue  # a mail has no style sheet
        text = re.sub(r"\{%.*?%\}", "", path.read_text())
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)", text), path
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text), path


def test_done_is_a_toast_and_trouble_a_notice(draw):
    messages = [
        Message(constants.SUCCESS, "Taken. Daniel Osei is with you."),
        Message(constants.WARNING, "Raj was faster"),
        Message(constants.ERROR, "That <date> is past"),
    ]
    page = draw(PAGE, messages=messages)
    assert '<div class="toast-bar" role="status">Taken. Daniel Osei is with you.</div>' in page
    assert re.search(r'<div class="notice is-warn" role="alert">.*?<p>Raj was faster</p>', page)
    assert "That &lt;date&gt; is past" in page


def test_a_page_that_would_mail_says_that_mail_is_not_sent(draw):
    assert "Mail is not being sent" not in draw(PAGE)
    page = draw(PAGE, mail_notice={"text": "Copy the link instead.", "url": "/settings/mail/"})
    assert "Mail is not being sent" in page
    assert 'Copy the link instead. <a href="/settings/mail/">Set up mail</a>' in page
    untried = {
        "title": "Mail is not tried yet",
        "text": "Try it.",
        "url": "/settings/mail/",
        "step": "Send a test mail",
    }
    page = draw(PAGE, mail_notice=untried)
    assert "<h2>Mail is not tried yet</h2>" in page
    assert 'Try it. <a href="/settings/mail/">Send a test mail</a>' in page


def test_the_worker_hint_says_what_is_late(draw):
    hint = {"text": "The worker was last seen 3 minutes ago.", "late": True, "url": "/settings/status/"}
    page = draw(PAGE, worker_hint=hint)
    assert 'class="worker is-late"' in page
    assert '<a href="/settings/status/">What waits</a>' in page


def test_every_icon_in_use_is_in_the_sprites_list():
    listed = set((ROOT / "assets" / "icons.txt").read_text().split())
    for path in (ROOT / "templates").rglob("*.html"):
        used = set(re.findall(r'\{% icon "([^"]+)" %\}', path.read_text()))
        assert used <= listed, f"{path}: add {used - listed} to assets/icons.txt"


def test_every_listed_icon_is_drawn_somewhere():
    places = [path for name in ("templates", "funnel", "marketing", "sales") for path in (ROOT / name).rglob("*.*")]
    text = "".join(path.read_text() for path in places if path.suffix in (".html", ".py", ".json"))
    listed = (ROOT / "assets" / "icons.txt").read_text().split()
    assert [name for name in listed if f'"{name}"' not in text] == []


def test_the_navigation_names_listed_icons_only():
    listed = set((ROOT / "assets" / "icons.txt").read_text().split())
    assert {place.icon for _, _, places in NAV for place in places} <= listed


@pytest.mark.parametrize("code", ["400", "403", "404", "405", "413", "429", "500", "503", "csrf"])
def test_trouble_has_a_page_that_needs_no_context(code):
    page = render_to_string(f"errors/{code}.html")
    assert re.search(r"<h1>.+</h1><p class=\"lead\">.+</p>", page)
    assert "invalid" not in page.lower()


def test_trouble_can_say_more_but_never_as_markup():
    assert "&lt;b&gt;" in render_to_string("errors/403.html", {"sentence": "<b>no</b>"})


class Door(forms.Form):
    login = forms.EmailField()
    password = forms.CharField(help_text='<a href="/reset/">Forgot?</a>', widget=forms.PasswordInput)


def test_the_door_shows_what_was_wrong_and_keeps_what_was_typed(draw):
    form = Door({"login": "hannah@ternbrook.example", "password": "x"})
    form.add_error(None, "E-mail and password do not fit together")
    page = draw('{% extends "account/login.html" %}', form=form)
    assert "<h2>E-mail and password do not fit together</h2>" in page
    assert 'value="hannah@ternbrook.example"' in page
    assert "Forgot?" not in page
    assert "<script" not in page
