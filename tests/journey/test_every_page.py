"""Every page in a real browser: nothing that keeps somebody out, nothing broken, nothing wider than a phone."""

from __future__ import annotations

import json
import time
from urllib.parse import urlsplit

import pytest

from tests.browser import DOORS, ID, PHONE, WIDE, Window, chromium, linked, places, program, rooms
from tests.stack import running, start_business

pytestmark = [
    pytest.mark.once,
    pytest.mark.browser,
    pytest.mark.skipif(program() is None, reason="Chromium is not installed"),
]

# What the dark look changes is colours, so only the rules about colours are asked again.
COLOURS = ("color-contrast", "link-in-text-block")
FINGER = 44


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The demo business and an empty one, with their people's log-ins."""
    with running(tmp_path_factory.mktemp("pages")) as made:
        made.people = {}
        for one in json.loads(made.manage("demo"))["logins"]:
            made.people.setdefault(one["role"], (one["email"], one["password"]))
        made.business = start_business(made)
        made.start("web", "worker", "beat")
        made.wait_ready()
        yield made


@pytest.fixture(scope="module")
def browser(stack):
    with chromium() as started:
        yield started


@pytest.fixture
def window(browser, stack):
    """Make windows; whatever a person would call broken in them fails the test."""
    opened = []

    def made(role="", **options):
        one = Window(browser, stack.url, **options)
        opened.append(one)
        if role:
            one.log_in(*stack.people[role])
        return one

    yield made
    troubles = [trouble for one in opened for trouble in one.troubles]
    for one in opened:
        one.close()
    assert troubles == []


ALL = {390: ("dark", "light"), 1280: ("dark", "light")}


# States of a page that was looked at in every way differ in little.
LESS = {390: ("light",)}


def inspect(window, name, looks=ALL):
    """Look at the page that is open, wide and narrow, light and dark; give what is wrong with it."""
    page = window.page
    wrong = []
    for width, schemes in looks.items():
        page.set_viewport_size(PHONE if width == 390 else WIDE)
        for scheme in schemes:
            only = COLOURS if scheme == "dark" else ()
            page.emulate_media(color_scheme=scheme)
            wrong += [f"{name}, {width}, {scheme}: {fault}" for fault in window.faults(only=only)]
        if (over := window.overflow()) > 0:
            wrong.append(f"{name}, {width}: {over} px too wide")
    return wrong


def walk(window, found, looks=ALL):
    """Open each page and look at it."""
    wrong = []
    for name, path in found.items():
        answer = window.page.goto(path)
        if answer.status != 200:
            wrong.append(f"{name}: {answer.status}")
        wrong += inspect(window, name, looks)
    return wrong


def test_every_page_of_a_business_that_is_at_work(window):
    one = window("owner")
    found = places(one.page, "owner")
    assert {"lead", "campaign", "form", "submissions", "people-remove", "desk", "keys", "business"} <= set(found)
    assert {"quote", "quote-edit", "quote-send", "product"} <= set(found)
    assert walk(one, found) == []


def test_every_page_of_a_business_that_begins(window, stack):
    one = window()
    stack.people["beginner"] = ("owner@harbour.example", "a-long-enough-word")
    one.log_in(*stack.people["beginner"])
    # The same pages as above with less on them: each width and each look once is enough.
    assert walk(one, places(one.page, "owner"), {390: ("light",), 1280: ("dark",)}) == []


def test_a_card_let_go_on_the_heading_of_a_column_moves_there_or_opens_its_form(window):
    owner = window("owner")
    page = owner.page
    page.set_viewport_size({"width": 1280, "height": 2000})
    page.goto("/sales/board/")
    card = page.locator("#cards-negotiation .card-deal[data-moves]").first
    named = f"#{card.get_attribute('id')}"
    grip = {"x": 20, "y": 40}
    card.drag_to(page.locator("#h-demo"), source_position=grip)
    page.locator(f"#cards-demo {named}").wait_for()
    page.locator(named).drag_to(page.locator("#h-demo"), source_position=grip)
    page.locator(f"#cards-demo {named}").wait_for()
    below = {"x": 20, "y": page.locator("#c-qualified").bounding_box()["height"] - 5}
    page.locator(named).drag_to(page.locator("#c-qualified"), source_position=grip, target_position=below)
    page.locator(f"#cards-qualified {named}").wait_for()
    page.locator(named).drag_to(page.locator("#h-lost"), source_position=grip)
    page.get_by_role("heading", name="is lost?").wait_for()


@pytest.mark.parametrize("role", ["marketer", "rep"])
def test_where_the_navigation_leads_others(window, role):
    one = window(role)
    one.page.goto("/")
    links = one.page.locator(".side a[href^='/']").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    found = {path: path for path in links if "#" not in path}
    assert len(found) >= 5
    wrong = []
    for name, path in found.items():
        answer = one.page.goto(path)
        wrong += [f"{name}: {answer.status}"] if answer.status != 200 else []
        wrong += [f"{name}: {fault}" for fault in one.faults()]
    assert wrong == []


def test_the_doors_and_an_address_that_leads_nowhere(window):
    one = window()
    one.refused |= {"/nothing-here/", "/join/nothing/", "/accounts/login/"}
    wrong = []
    for name, path in DOORS.items():
        one.page.goto(path)
        wrong += inspect(one, name)
    one.page.goto("/accounts/login/")
    one.page.fill("input[name=login]", "nobody@harbour.example")
    one.page.fill("input[name=password]", "not the password")
    one.page.press("input[name=password]", "Enter")
    one.page.locator("[role=alert]").wait_for()
    assert wrong + inspect(one, "sign-in-error") == []


def test_a_long_address_is_answered_by_a_page_of_ours(stack):
    status, page = stack.get("/nothing-here/?q=" + 8000 * "x")
    assert status == 404
    assert "There is nothing here" in page


def test_what_a_visitor_sees(window, stack):
    owner, visitor = window("owner"), window()
    form = linked(owner.page, "/marketing/forms/", f"/marketing/forms/{ID}/")
    path = urlsplit(linked(owner.page, form, r"(https?://[^/]+)?/f/[^/]+/")).path
    visitor.refused |= {path}
    page, wrong = visitor.page, []
    page.goto(path)
    wrong += inspect(visitor, "form")
    page.get_by_role("button").click()
    page.locator("#wrong").wait_for()
    wrong += inspect(visitor, "form with errors")
    page.goto(f"{path}frame/")
    wrong += inspect(visitor, "framed")
    page.goto(f"{path}thanks/")
    wrong += inspect(visitor, "thanks")
    theirs = rooms(owner.page)
    assert set(theirs) == {"quote", "quote-accepted"}
    visitor.refused |= {theirs["quote"]}
    for name, path in theirs.items():
        page.goto(path)
        wrong += inspect(visitor, name)
    page.goto(theirs["quote"])
    page.get_by_role("button", name="Accept for").click()
    page.locator("#wrong").wait_for()
    wrong += inspect(visitor, "quote with errors")
    assert wrong == []
    assert visitor.context.cookies() == []


def test_what_somebody_sees_who_wants_no_more_mail(window, stack):
    """By the link of a nurture mail; the demo's mails never go, so the link is made here as it would be in one."""
    token, link = stack.ask(OUR_MAILS)
    visitor, marketer = window(), window("marketer")
    page, wrong = visitor.page, []
    page.goto(f"/u/{token}/")
    wrong += inspect(visitor, "preferences")
    page.get_by_role("button", name="Stop these mails").click()
    page.get_by_text("You get no advice and no offers from us any more").wait_for()
    wrong += inspect(visitor, "preferences-stopped")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("We may send you advice and offers again").wait_for()
    wrong += inspect(visitor, "preferences-again")
    visitor.refused |= {link}
    page.goto(link)
    assert "This link has been changed on its way" in page.content()
    wrong += inspect(visitor, "link-changed", LESS)
    marketer.page.goto("/marketing/nurture/?is=ended")
    marketer.page.get_by_text("They want no more mail").first.wait_for()
    assert wrong == []
    assert visitor.context.cookies() == []


OUR_MAILS = """
from funnel.workspaces.doors import token_for
from funnel.workspaces.gate import tenant
from funnel.workspaces.models import Workspace
from marketing.nurture.models import Enrollment
with tenant(Workspace.objects.get(is_demo=True)):
    token = token_for("nurture", Enrollment.objects.filter(letters__isnull=False, state="active").first().pk)
print(json.dumps([token, f"/u/{token}/1.0.changed/"]))
"""


def test_what_somebody_sees_who_books_a_meeting_moves_it_and_cancels_it(window):
    """Chosen and booked by a rep's page; on the rep's desk and in the letters afterwards."""
    rep, visitor = window("rep"), window()
    booking = linked(rep.page, "/sales/booking/", r"/b/[^/]+/")
    page, wrong = visitor.page, []
    visitor.refused |= {f"{booking}confirm/"}
    page.goto(f"{booking}?zone=Europe/Berlin")
    assert "Times are for Berlin" in page.content()
    wrong += inspect(visitor, "booking")
    times = page.locator("a.time")
    taken, other = times.nth(0).get_attribute("href"), times.nth(1).get_attribute("href")
    page.goto(taken)
    wrong += inspect(visitor, "booking-confirm")
    page.get_by_role("button", name="Book").click()
    page.locator("#wrong").wait_for()
    wrong += inspect(visitor, "booking-errors", LESS)
    page.fill("#name", "Nia Beddoes")
    page.fill("#email", "nia@clunforge.example")
    time.sleep(2.2)
    page.get_by_role("button", name="Book").click()
    page.wait_for_url(lambda url: "/m/" in url and "booked" in url)
    wrong += inspect(visitor, "meeting-booked")
    meeting = urlsplit(page.url).path
    page.goto(taken)
    assert "is not free any more" in page.content()
    wrong += inspect(visitor, "booking-taken", LESS)
    page.goto(f"{meeting}times/")
    wrong += inspect(visitor, "meeting-times", LESS)
    page.goto(other.replace(booking, meeting))
    time.sleep(2.2)
    page.get_by_role("button", name="Move it to").click()
    page.wait_for_url(lambda url: "/m/" in url and "booked" in url)
    rep.page.goto("/sales/")
    rep.page.get_by_text("Nia Beddoes").first.wait_for()
    page.get_by_text("Cancel the meeting").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("This meeting is cancelled").wait_for()
    wrong += inspect(visitor, "meeting-cancelled", LESS)
    assert wrong == []
    assert visitor.context.cookies() == []


def test_a_visitor_from_elsewhere_reads_times_on_their_own_clock_at_once(window):
    rep, near, far, without = window("rep"), window(), window(zone="America/New_York"), window(js=False)
    booking = linked(rep.page, "/sales/booking/", r"/b/[^/]+/")
    for one in (near, far, without):
        one.seen = []
        one.context.on("request", lambda asked, seen=one.seen: seen.append(asked.url) if "/b/" in asked.url else None)
        one.page.goto(booking)
        one.page.get_by_text("Times are for").wait_for()
    assert "Times are for London" in near.page.content()
    assert "Times are for London" in without.page.content()
    assert (len(near.seen), len(without.seen)) == (1, 1)
    page = far.page
    page.get_by_text("Times are for New York").wait_for()
    assert far.seen[1:] == [f"{far.home}{booking}?here=America%2FNew_York"]
    assert page.locator("a.time").count() > 0
    page.goto(f"{booking}?here=Asia/Tokyo")
    page.get_by_text("Times are for New York").wait_for()
    page.get_by_text("Times are for").click()
    page.get_by_label("Show times for").select_option("Europe/Berlin")
    page.get_by_role("button", name="Show these times").click()
    page.get_by_text("Times are for Berlin").wait_for()
    page.get_by_role("link", name="Later days").click()
    page.get_by_text("Times are for Berlin").wait_for()


def test_on_a_phone_what_decides_lies_under_the_thumb(window):
    one = window("rep", phone=True)
    page = one.page
    lead = linked(page, "/sales/", r"/sales/\?lead=.*")
    page.goto(lead)
    page.locator("#lead").wait_for()
    wrong = []
    thumb = page.locator("#lead .thumb")
    for what in (thumb.get_by_role("button", name="Take it"), thumb.get_by_role("link", name="Call")):
        box = what.bounding_box()
        assert box["y"] >= PHONE["height"] / 2, box
        assert box["y"] + box["height"] <= PHONE["height"], box
    for path in (lead, "/sales/", "/sales/mine/", "/leads/", "/handoffs/"):
        page.goto(path)
        wrong += [f"{path}: {text}" for text in page.evaluate(SMALL, FINGER)]
        assert one.overflow() <= 0, path
    assert wrong == []


# A link within a sentence is as high as its line (WCAG 2.5.8 leaves it out), and a box is touched by its label.
SMALL = """finger => [...document.querySelectorAll(
    'button, select, summary, a.btn, a.do, .tabbar a, .topbar a, .thumb > *, .contact a')]
  .filter(e => e.checkVisibility({visibilityProperty: true, opacityProperty: true}) && e.getClientRects().length)
  .map(e => [e, e.getBoundingClientRect()])
  .filter(([e, box]) => box.height > 1 && box.width > 1 && (box.height < finger - .5 || box.width < finger - .5))
  .map(([e, box]) => `${e.outerHTML.slice(0, 120)} ${Math.round(box.width)}×${Math.round(box.height)}`)"""


def test_without_script_every_page_is_there_and_every_form_posts(window, stack):
    visitor, owner = window(js=False), window(js=False)
    page = visitor.page
    page.goto(stack.business["form"])
    page.get_by_role("textbox", name="Name").fill("Wilma Wren")
    page.get_by_role("textbox", name="Phone").fill("01632 960123")
    page.get_by_role("textbox", name="E-mail").fill("wilma@wren.example")
    time.sleep(2.2)  # what comes sooner than a person types is held back
    page.get_by_role("button").click()
    page.get_by_role("heading", name="Thank you").wait_for()

    owner.log_in("owner@harbour.example", "a-long-enough-word")
    page = owner.page
    end = time.monotonic() + 30
    while not page.get_by_role("button", name="Take it").count() and time.monotonic() < end:
        page.goto("/sales/")
    page.locator("#take").get_by_role("button", name="Take it").click()
    page.get_by_text("Taken. Wilma Wren is with you.").wait_for()
    page.get_by_label("No answer").check()
    page.locator("#log").get_by_label("Note").fill("Rang twice")
    page.get_by_role("button", name="Save the call").click()
    page.get_by_text("The call is saved.").wait_for()
    page.locator("a[href='#give-back'] >> visible=true").first.click()
    page.locator("#give-back input[name=reason]").nth(1).check()
    page.locator("#give-back").get_by_label("Note").fill("Never there")
    page.locator("#give-back").get_by_role("button", name="Give back").click()
    page.get_by_text("Wilma Wren is given back.").wait_for()
    for path in ("/", "/leads/?q=Wilma", "/handoffs/", "/marketing/", "/marketing/campaigns/", "/people/"):
        assert page.goto(path).status == 200
        assert page.locator("h1").count() == 1, path
    assert "Never there" in page.goto("/handoffs/").text()


def test_a_pressed_cell_of_the_ready_grid_stands_after_a_reload(window):
    page = (one := window("owner")).page
    page.goto("/rules/")
    cell, label = page.locator("#cell-B2"), page.locator("label.cell", has=page.locator("#cell-B2"))
    assert not cell.is_checked()
    label.click()
    page.get_by_text("This is a draft with 1 change").wait_for()
    page.reload()
    assert cell.is_checked()
    assert "is-new" in label.get_attribute("class")
    assert inspect(one, "a pressed cell") == []
    label.click()
    page.get_by_text("The draft says what is in force already.").wait_for()
    page.reload()
    assert not cell.is_checked()
    page.get_by_role("link", name="Drop the draft…").click()
    page.get_by_role("dialog").get_by_role("button", name="Drop the draft").click()
    page.get_by_text("The draft is dropped.").wait_for()


def test_a_reason_asks_only_for_what_its_way_back_needs(window):
    page = (one := window("owner")).page
    page.goto("/rules/reasons/add/")
    above, touch = page.get_by_label("Engagement to reach"), page.get_by_label("What they do")
    days, ways = page.get_by_label("Days with marketing, at least"), page.get_by_role("group", name="They come back")
    assert days.is_visible()
    assert not above.is_visible()
    assert not touch.is_visible()
    page.get_by_label("On a day that the rep promised them").check()
    assert not days.is_visible()
    page.get_by_label("When their engagement reaches a line").check()
    assert days.is_visible()
    assert above.is_visible()
    assert not touch.is_visible()
    page.get_by_label("When they do one certain thing").check()
    assert touch.is_visible()
    assert not above.is_visible()
    assert inspect(one, "a reason") == []
    page.get_by_label("It ends: they are not a fit").check()
    assert not any(field.is_visible() for field in (days, ways, touch, page.get_by_label("They get the nurture mails")))
    assert inspect(one, "a reason that ends it") == []
