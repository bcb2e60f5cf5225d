"""What the scripts do, in a real browser and under the product's own policy."""

import shutil

import pytest

from funnel.leads.models import FieldDefinition
from funnel.overview.rules_forms import FitForm
from tests.pages.conftest import BUILT, ROOT, becomes

pytestmark = [
    pytest.mark.once,
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not (BUILT / "app.js").exists(), reason="the front end is not built"),
]
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 800}


def test_the_theme_follows_the_system_until_somebody_chooses(open_page):
    page = open_page(viewport=WIDE, color_scheme="dark")
    theme = "document.documentElement.dataset.bsTheme"
    assert page.evaluate(theme) == "dark"
    page.emulate_media(color_scheme="light")
    becomes(page, theme, "light")
    page.click(".side-foot summary")
    page.click("[data-theme-switch]")
    assert page.evaluate(theme) == "dark"
    page.reload()
    assert page.evaluate(theme) == "dark"
    page.click(".side-foot summary")
    page.click("[data-theme-switch]")
    assert page.evaluate("localStorage.length") == 0, "back to the system's own: it is followed again"


def test_a_key_does_what_its_button_does(open_page, site):
    site.answers["/take/"] = (200, '<section id="lead">With you</section>')
    page = open_page(viewport=WIDE)
    page.keyboard.press("t")
    page.wait_for_selector("text=With you")
    [(path, headers)] = site.posts()
    assert path == "/take/"
    assert headers["x-csrftoken"] == "token"
    page.keyboard.press("t")
    assert len(site.posts()) == 1, "the button is gone, so is its key"


def test_a_key_does_nothing_while_one_types_or_holds_another(open_page, site):
    page = open_page(viewport=WIDE)
    page.focus("#note")
    page.keyboard.type("tx1")
    page.click("h1")
    page.keyboard.press("Control+t")
    page.keyboard.press("Shift+T")
    page.keyboard.press("x")
    assert site.posts() == []
    assert page.input_value("#note") == "tx1"
    assert not page.is_checked("#o1")
    page.keyboard.press("1")
    assert page.is_checked("#o1")


def test_j_and_k_walk_the_list_and_open_beside_it(open_page):
    page = open_page(viewport=WIDE)
    page.keyboard.press("j")
    page.wait_for_selector("#lead h2:text('Judith')")
    assert page.get_attribute("#do-2", "aria-current") == "true"
    assert page.get_attribute("#do-1", "aria-current") is None
    page.keyboard.press("j")
    page.wait_for_selector("#lead h2:text('Eleanor')")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.wait_for_selector("#lead h2:text('Judith')")
    assert page.evaluate("document.activeElement.id") == "do-2"


def test_the_title_carries_the_number_of_new_ones(open_page, site):
    page = open_page(viewport=WIDE)
    assert page.title() == "(2) Desk · Baton"
    site.context["count"] = 3
    page.evaluate("htmx.trigger('#desk', 'again')")
    becomes(page, "document.title", "(3) Desk · Baton")
    site.context["count"] = 0
    page.evaluate("htmx.trigger('#desk', 'again')")
    becomes(page, "document.title", "Desk · Baton")


def test_a_sheet_keeps_the_focus_and_gives_it_back(open_page):
    page = open_page(viewport=WIDE)
    page.focus("[data-key=g]")
    page.keyboard.press("g")
    assert page.is_visible("#back .sheet")
    assert page.evaluate("document.querySelector('#back').matches(':modal')")
    page.keyboard.press("Escape")
    assert not page.is_visible("#back")
    assert page.evaluate("document.activeElement.dataset.key") == "g"
    page.keyboard.press("g")
    page.click("#back >> text=Keep")
    assert not page.is_visible("#back")
    page.keyboard.press("g")
    page.mouse.click(5, 5)
    assert not page.is_visible("#back"), "a click beside the sheet keeps things as they are"


def test_a_sheet_opens_by_its_address(open_page):
    page = open_page("/desk/#back", viewport=WIDE)
    assert page.evaluate("document.querySelector('#back').matches(':modal')")
    page.keyboard.press("Escape")
    assert not page.is_visible("#back")
    assert page.evaluate("location.hash") == ""


def test_a_refused_sheet_comes_back_open_on_its_errors(open_page, site):
    site.context["wrong"] = True
    page = open_page(viewport=WIDE)
    assert page.evaluate("document.querySelector('#back').matches(':modal')")
    assert page.evaluate("document.activeElement.id") == "wrong"
    page.click("#wrong a")
    assert page.is_visible("#back"), "a link to a field in the sheet does not close it"


def test_question_mark_lists_the_keys_of_the_page(open_page):
    page = open_page(viewport=WIDE)
    page.keyboard.press("?")
    rows = page.locator("#keys dl").inner_text()
    for said in ("Take it", "Give back…", "Talked", "Next, previous", "Search"):
        assert said in rows
    assert "Never seen" not in rows
    page.keyboard.press("Escape")
    assert not page.is_visible("#keys")


def test_menus_close_again(open_page):
    page = open_page(viewport=WIDE)
    page.click(".workspace")
    assert page.is_visible("text=Your businesses")
    page.click("h1")
    assert not page.is_visible("text=Your businesses")
    page.click(".workspace")
    page.keyboard.press("Escape")
    assert not page.is_visible("text=Your businesses")


@pytest.mark.parametrize("height", [800, 420])
def test_the_account_and_all_of_its_menu_are_in_sight_on_a_low_screen(open_page, height):
    page = open_page(viewport={"width": 1280, "height": height})
    page.evaluate(
        """() => { for (const [list, item, many] of [['.side-nav ul', 'li', 26], ['.side-foot .menu-panel', 'a', 12]]) {
            const all = document.querySelector(list), first = all.querySelector(item);
            for (let n = 0; n < many; n++) first.after(first.cloneNode(true)); } }"""
    )
    page.locator(".side-foot summary").evaluate("e => e.click()")
    seen = page.evaluate(
        """() => [...document.querySelectorAll('.side-foot :is(summary, a, .menu-panel button)')].filter(e => {
            if (e.tagName != 'SUMMARY') e.scrollIntoView({block: 'nearest'});
            const box = e.getBoundingClientRect();
            return !e.contains(document.elementFromPoint(box.left + 9, box.top + box.height / 2));
        }).map(e => e.outerHTML)"""
    )
    assert seen == []
    assert page.evaluate("scrollY") == 0


def test_the_present_place_is_in_sight_on_a_low_screen(open_page, site):
    item = {"url": "/x/", "icon": "users", "label": "X"}
    site.context["nav"] = [{"wing": "sales", "title": "Sales", "items": [item] * 30 + [item | {"current": True}]}]
    page = open_page(viewport={"width": 1280, "height": 500})
    top = "document.querySelector('{}').getBoundingClientRect().top".format
    assert page.evaluate(f"{top('.side-nav [aria-current]')} + 20 < {top('.side-foot')}")
    assert page.evaluate(f"[{top('.side-nav h2')} - {top('.side-nav')}, scrollY]") == [0, 0], "its heading stays"


def test_a_link_can_be_copied_on_plain_http(open_page):
    page = open_page(viewport=WIDE)
    assert not page.evaluate("isSecureContext")
    page.click("text=Copy")
    page.wait_for_selector("text=Copied")
    page.focus("#note")
    page.keyboard.press("Control+v")
    assert page.input_value("#note") == "https://ternbrook.example/f/1"


def test_more_rows_follow_and_the_first_of_them_has_the_focus(open_page):
    page = open_page(viewport=WIDE)
    page.click("text=Show more")
    becomes(page, "document.querySelectorAll('#rows li').length", 2)
    becomes(page, "document.activeElement === document.querySelector('#rows li:nth-child(2) a')", True)


def test_a_lost_race_is_shown_where_the_button_was(open_page, site):
    site.answers["/take/"] = (409, '<section id="lead"><p>Raj has it already.</p></section>')
    page = open_page(viewport=WIDE)
    page.keyboard.press("t")
    page.wait_for_selector("text=Raj has it already.")


@pytest.mark.parametrize(("status", "said"), [(403, "Your role does not allow this"), (500, "That did not work")])
def test_a_failed_request_is_said_and_the_page_stays(open_page, site, status, said):
    site.answers["/take/"] = (status, "<p>trouble</p>")
    page = open_page(viewport=WIDE)
    page.keyboard.press("t")
    page.wait_for_selector(f".toast-bar:has-text('{said}')")
    assert page.is_visible("[data-key=t]")


def test_a_page_that_asks_in_vain_says_so_until_somebody_answers(open_page, site):
    site.answers["/news/"] = (204, "")
    page = open_page(viewport=WIDE)
    page.route("**/news/", lambda route: route.abort("connectionrefused"))
    page.evaluate(
        """() => { const poll = document.createElement("div");
           poll.setAttribute("hx-get", "/news/"); poll.setAttribute("hx-trigger", "every 1s");
           document.body.append(poll); htmx.process(poll); }"""
    )
    hint = "document.querySelector('.worker').textContent.trim()"
    becomes(page, hint, "Baton can’t be reached: this page may be old")
    page.wait_for_timeout(1500)
    assert page.locator(".toast-bar").count() == 1, "it is said once"
    page.unroute("**/news/")
    becomes(page, hint, "Up to date, 4 seconds ago")
    assert page.locator(".worker.is-late").count() == 0


def test_the_log_in_page_is_never_put_into_another(open_page, site):
    page = open_page(viewport=WIDE)
    site.answers["/accounts/login/"] = (200, "<h1>Log in</h1>")
    page.evaluate(
        """() => htmx.trigger(document.body, "htmx:beforeSwap",
           {xhr: {responseURL: location.origin + "/accounts/login/?next=/x"}, shouldSwap: true, elt: document.body})"""
    )
    page.wait_for_url("**/accounts/login/?next=%2Fdesk%2F")


def test_without_script_keys_are_not_offered_and_sheets_still_open(open_page):
    page = open_page(viewport=WIDE, java_script_enabled=False)
    assert page.locator("kbd:visible").count() == 0
    assert page.locator("[data-copy]:visible").count() == 0
    page.click("text=Give back…")
    assert page.is_visible("#back .sheet")
    page.click("#back >> text=Keep")
    assert not page.is_visible("#back")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE])
def test_the_shell_is_accessible_and_fits(open_page, viewport, scheme):
    page = open_page(viewport=viewport, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate((ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text())
    broken = page.evaluate("axe.run()")["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in broken if one["impact"] != "minor"] == []


def test_targets_on_a_phone_are_large_enough_for_a_thumb(open_page):
    page = open_page(viewport=PHONE)
    page.click("[href='#side']")
    page.click(".side-foot summary")
    small = page.evaluate(
        """() => [...document.querySelectorAll(".topbar a, .side a, .side button, .side summary, .tabbar a")]
             .filter((one) => one.getClientRects().length && one.getBoundingClientRect().height < 44)
             .map((one) => one.textContent.trim())"""
    )
    assert small == []


def test_a_page_without_notices_begins_at_the_top(open_page):
    page = open_page(viewport=WIDE)
    assert page.evaluate("document.querySelector('.desk').getBoundingClientRect().top") == 0


def test_a_refused_field_in_a_cell_shows_what_was_typed(open_page, site):
    cell = '<td><input class="form-control num is-invalid" value="120" aria-label="Less"></td>'
    site.answers["/quote/"] = (
        200,
        f'<!doctype html><html lang="en"><link rel="stylesheet" href="/static/app.css"><table class="table lines">'
        f'<tr><td>Battery</td>{cell}<td class="w-off"></td></tr></table></html>',
    )
    page = open_page("/quote/")
    padding, image = page.evaluate(
        "(style => [parseFloat(style.paddingRight), style.backgroundImage])"
        "(getComputedStyle(document.querySelector('input')))"
    )
    assert (padding <= 8, image) == (True, "none")


RULE = (
    '{% extends "base.html" %}{% block content %}<form method="post" action="/saved/" data-rule>'
    "{% for one in form %}{% field one %}{% endfor %}<button>Keep</button></form>{% endblock %}"
)


@pytest.fixture
def rule(open_page, site, draw):
    bill = FieldDefinition(name="bill", label="Bill", kind="choice", choices=["Under £400", "£400, or more", "Unknown"])
    size = FieldDefinition(name="size", label="Size", kind="number")
    form = FitForm(fields={"bill": bill, "size": size})
    site.answers["/rule/"] = (200, draw(RULE, form=form))
    return open_page("/rule/", viewport=WIDE)


def asked(page):
    return page.eval_on_selector_all("[name=when] option", "all => all.map((one) => one.value)")


def test_a_rule_offers_what_its_field_can_be_asked_and_shows_only_what_that_needs(rule):
    assert not rule.is_visible("[name=when]"), "nothing is chosen yet"
    rule.select_option("[name=field]", "fields.size")
    assert asked(rule) == ["filled", "blank", "is", "one_of", "range"]
    assert [rule.is_visible(f"[name={one}]") for one in ("when", "value", "low", "high")] == [True, False, False, False]
    rule.select_option("[name=when]", "range")
    assert [rule.is_visible(f"[name={one}]") for one in ("value", "low", "high")] == [False, True, True]
    rule.select_option("[name=field]", "email")
    assert asked(rule) == ["filled", "blank", "is", "one_of", "contains", "business", "free_mail", "disposable"]
    rule.select_option("[name=when]", "contains")
    assert rule.is_visible("[name=value]")


def test_what_a_field_offers_is_picked_and_not_typed(rule):
    sent = "document.querySelector('[name=value]').value"
    rule.select_option("[name=field]", "fields.bill")
    rule.select_option("[name=when]", "one_of")
    for one in ("Under £400", "£400, or more"):
        rule.get_by_label(one).check()
    assert rule.evaluate(sent) == "Under £400\n£400, or more"
    rule.select_option("[name=when]", "is")
    assert rule.evaluate(sent) == "Under £400", "of several the first"
    rule.get_by_label("Compared with").select_option("Unknown")
    assert rule.evaluate(sent) == "Unknown"
    rule.select_option("[name=field]", "name")
    assert rule.is_visible("textarea[name=value]"), "what anything can stand in is typed"
