"""A form in a frame of another site: as high as what is in it, sent from there, its file fetched there."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.browser import ID, Window, chromium, linked, program
from tests.stack import PASSWORD, running, start_business, until

pytestmark = [
    pytest.mark.once,
    pytest.mark.browser,
    pytest.mark.skipif(program() is None, reason="Chromium is not installed"),
]


@pytest.fixture
def site():
    """A site of the business's own, on another origin; give how to put a page there."""
    pages = {}

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(pages.get(self.path, "").encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def put(html):
        pages["/"] = f"<!doctype html><title>Ours</title><body>{html}</body>"
        return f"http://localhost:{server.server_port}/"

    yield put
    server.shutdown()
    thread.join(5)
    server.server_close()


def heights(page):
    """How high the frame is in its page, and how high what is in it."""
    inner = page.frames[1].evaluate("Math.ceil(document.body.getBoundingClientRect().height)")
    return page.locator("iframe").evaluate("one => one.clientHeight"), inner


def fits(page):
    """Wait until the frame is as high as what is in it, and give how high; 0 when it never is."""
    return until(lambda: (pair := heights(page))[0] == pair[1] and pair[0], 10)


def test_a_framed_form_fits_its_height_and_gives_its_file(tmp_path, site):
    with running(tmp_path) as stack, chromium() as browser:
        start_business(stack)
        stack.start("web")
        owner = Window(browser, stack.url)
        owner.log_in("owner@harbour.example", PASSWORD)
        owner.page.goto(linked(owner.page, "/marketing/forms/", f"/marketing/forms/{ID}/"))
        owner.page.set_input_files(
            "input[name=file]", {"name": "Guide.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"}
        )
        owner.page.get_by_role("button", name="Save and publish").first.click()
        owner.page.get_by_text("Saved. Visitors see it now.").wait_for()
        visitor = browser.new_page(viewport={"width": 390, "height": 844})
        visitor.goto(site(owner.page.input_value("#s-frame")))
        asked = fits(visitor)
        assert asked > 300
        visitor.frames[1].get_by_role("button").click()
        visitor.frames[1].locator("#wrong").wait_for()
        assert fits(visitor) > asked, "what is to be put right needs room"
        assert visitor.evaluate("document.documentElement.scrollWidth") <= 390
        visitor.set_viewport_size({"width": 1280, "height": 860})
        assert fits(visitor)
        inside = visitor.frames[1]
        inside.get_by_role("textbox", name="Your name").fill("Wilma Wren")
        inside.get_by_role("textbox", name="E-mail").fill("wilma@wren.example")
        inside.get_by_role("button").click()
        inside.get_by_role("heading", name="Thank you").wait_for()
        assert fits(visitor)
        with visitor.expect_download() as download:
            inside.get_by_role("link", name="Download Guide.pdf").click()
        assert download.value.suggested_filename == "Guide.pdf"
        assert Path(download.value.path()).read_bytes() == b"%PDF"
        assert owner.troubles == []
