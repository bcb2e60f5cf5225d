"""What people do in more than one journey, each in a window of their own."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from tests.stack import PASSWORD

VISITOR = "Wilma Wren"


def invites(owner):
    """The owner logs in and copies the link of an invitation."""
    owner.log_in("owner@harbour.example", PASSWORD)
    page = owner.page
    page.goto("/people/")
    page.get_by_label("E-mail").fill("rita@harbour.example")
    page.locator("#invite").get_by_label("Role").select_option("rep")
    page.get_by_role("button", name="Invite", exact=True).click()
    owner.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    page.get_by_text("Copied").first.wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.get_by_label("Link for rita@harbour.example").input_value()
    return link


def joins(rep, link):
    """The rep follows the link, and lands on an empty desk."""
    page = rep.page
    page.goto(link)
    page.get_by_label("Your name").fill("Rita Rep")
    page.get_by_label("Choose a password").fill(PASSWORD)
    page.get_by_role("button", name="Join").click()
    page.wait_for_url("**/sales/**")
    assert page.locator("#desk-title").inner_text() == "Your desk is clear"
    assert page.title() == "Desk · Baton"
    # A reload would lose this mark.
    page.evaluate("window.sameDocument = true")


def sends_the_form(visitor, address):
    """A visitor without script sends the form and is thanked."""
    page = visitor.page
    page.goto(address)
    page.get_by_role("textbox", name="Name").fill(VISITOR)
    page.get_by_role("textbox", name="Phone").fill("01632 960123")
    page.get_by_role("textbox", name="E-mail").fill("wilma@wren.example")
    time.sleep(2.2)  # what comes sooner than a person types is held back
    page.get_by_role("button").click()
    page.get_by_role("heading", name="Thank you").wait_for()
    assert urlsplit(page.url).path.endswith("/thanks/")
    assert visitor.context.cookies() == []
