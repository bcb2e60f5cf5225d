"""The whole way as people see it: from a form into a rep's hands, over a demo and a quote to revenue, and back to the
campaign that earned it."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest

from tests.browser import program
from tests.journey.steps import VISITOR, invites, joins, sends_the_form
from tests.stack import until

pytestmark = [pytest.mark.browser, pytest.mark.skipif(program() is None, reason="Chromium is not installed")]


def test_from_a_form_to_revenue_and_back_to_the_campaign(stack, windows):
    owner, rep, visitor, phone = windows(), windows(), windows(js=False), windows(phone=True, js=False)

    joins(rep, invites(owner))
    sends_the_form(visitor, f"{stack.url}{stack.business['form']}?utm_source=radio&utm_campaign=Spring+ride")
    lead = takes_it(rep)
    books_a_demo(phone, opens_the_booking_page(rep))
    quote = sends_a_quote(rep, lead)
    accepts_on_the_phone(phone, quote)
    wins_the_deal(rep, lead)
    spends_on_the_campaign(owner)
    the_owner_sees_what_came_of_it(owner)

    facts = json.loads(stack.manage("check_facts"))
    assert not facts.get("differences"), facts


def reach(page, what):
    """Go there by Tab alone."""
    what.wait_for(state="attached")
    for _ in range(150):
        if what.evaluate("one => one === document.activeElement"):
            return what
        page.keyboard.press("Tab")
    raise AssertionError(f"The Tab key doesn’t lead to {what}")


def press(page, what):
    """Do what a person without a mouse does."""
    reach(page, what)
    page.keyboard.press("Enter")


def write(page, what, text):
    """Write into a field by the keyboard alone, over what stands there."""
    reach(page, what)
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def takes_it(rep):
    """The rep takes the lead by a key; give the address of the lead's page."""
    page = rep.page
    page.locator(".desk-list a.do", has_text=VISITOR).wait_for()
    page.keyboard.press("j")
    page.get_by_role("button", name="Take it").first.wait_for()
    page.keyboard.press("t")
    page.get_by_text(f"Taken. {VISITOR} is with you.").wait_for()
    page.goto("/leads/")
    press(page, page.get_by_role("link", name=VISITOR).first)
    page.wait_for_url(re.compile(r"/leads/[0-9a-f-]{36}/"))
    return urlsplit(page.url).path


def opens_the_booking_page(rep):
    """The rep opens a page by which people outside book a time, and gives its address away."""
    page = rep.page
    page.goto("/sales/booking/")
    press(page, page.get_by_role("button", name="Open my booking page"))
    return page.get_by_label("Address of my booking page").input_value()


def books_a_demo(phone, address):
    """The lead books the first free time on a phone; the page is known by its address alone."""
    page = phone.page
    page.goto(address)
    assert phone.overflow() <= 0
    page.get_by_role("link", name="Take the first").click()
    page.get_by_label("name").first.fill(VISITOR)
    page.get_by_label("E-mail").fill("wilma@wren.example")
    page.wait_for_timeout(2200)  # what comes sooner than a person types is held back
    page.get_by_role("button", name="Book").click()
    page.get_by_role("heading", name="Booked for").wait_for()
    assert phone.overflow() <= 0
    assert phone.context.cookies() == []


def sends_a_quote(rep, lead):
    """The rep makes a quote of one line and sends it by a link; give the link."""
    page = rep.page
    page.goto(lead)
    page.locator("#demos").get_by_text("with you").wait_for()
    press(page, page.get_by_role("button", name="Make a quote"))
    line = page.locator("table.lines tbody tr").first
    if not line.count():
        press(page, page.get_by_role("button", name="Own line"))
    write(page, line.locator("[name^=what-]"), "Two bikes until May")
    write(page, line.locator("[name^=quantity-]"), "2")
    write(page, line.locator("[name^=price-]"), "450.50")
    write(page, line.locator("[name^=tax-]"), "20")
    press(page, page.get_by_role("button", name="Send quote…").first)
    page.locator("dialog[open]").get_by_role("heading", name="Send the quote of £1,081.20").wait_for()
    press(page, page.get_by_role("button", name="Send it myself, copy the link"))
    return page.get_by_label("Address of the quote’s page").input_value()


def accepts_on_the_phone(phone, quote):
    """The lead reads the quote on a phone and accepts it with a typed name; opening it changed nothing."""
    page = phone.page
    page.goto(quote)
    assert phone.overflow() <= 0
    page.get_by_label("Your full name").fill(VISITOR)
    page.locator("#agree").check()
    page.get_by_role("button", name="Accept for £1,081.20").click()
    page.get_by_role("heading", name=f"Accepted by {VISITOR}").wait_for()
    assert phone.context.cookies() == []


def wins_the_deal(rep, lead):
    """The rep finds it accepted and books it as won with two keys: the amount stands there already."""
    page = rep.page
    page.goto(lead)
    press(page, page.get_by_role("link", name="Win the deal"))
    page.get_by_role("heading", name=f"{VISITOR} is won?").wait_for()
    assert page.get_by_label("Amount").input_value() == "901.00"
    press(page, page.get_by_role("button", name="Book as won"))
    page.get_by_text("£901.00, won").wait_for()
    page.goto(lead)
    page.get_by_text("Customer", exact=True).first.wait_for()


def spends_on_the_campaign(owner):
    """What the campaign cost is entered by hand."""
    page = owner.page
    the_campaign(page)
    page.get_by_role("link", name="Add a cost").click()
    page.get_by_label("Amount").fill("300")
    page.get_by_label("Channel").select_option(label="Radio")
    page.get_by_label("What for").fill("Ten spots at 07:40")
    page.get_by_role("button", name="Enter the cost").click()
    page.get_by_text("Ten spots at 07:40").first.wait_for(state="attached")


def the_campaign(page):
    page.goto("/marketing/")
    page.locator("#campaigns").get_by_role("link", name="Spring ride", exact=True).click()
    page.wait_for_url("**/marketing/campaigns/**")


def the_owner_sees_what_came_of_it(owner):
    """Home and campaign say the same of the money: 901 earned for 300."""
    page = owner.page
    assert until(lambda: "£901" in page.goto("/").text(), 20)
    the_campaign(page)
    said = page.locator("main").inner_text()
    assert "£901" in said
    assert "£300" in said
