"""Make the contact sheet: each page, wide and on a phone, light and dark, of an empty business and of a full one.

`make screenshots` runs it; the sheet is build/screenshots/index.html, and the README's pictures are made anew.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.browser import DOORS, PHONE, ROOT, WIDE, Window, chromium, linked, places, program, rooms
from tests.stack import PASSWORD, Stack

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHEET, DOCS = ROOT / "build" / "screenshots", ROOT / "docs"
LOOKS = [(width, theme) for width in (1280, 390) for theme in ("light", "dark")]
# Whose window shows a page best; all others are the owner's.
REPS = {"booking-page", "demos", "desk", "desk-lead", "desk-give-back", "mine"}
STYLE = """
body { margin: 24px; font: 14px system-ui, sans-serif; background: #e9e9ec; color: #222 }
section { display: flex; gap: 12px; align-items: flex-start; margin-bottom: 28px }
h2 { width: 130px; font-size: 15px; margin: 0 } figure { margin: 0 } figcaption { margin-bottom: 4px }
.w1280 { width: 460px } .w390 { width: 180px }
img { width: 100%; max-height: 720px; object-fit: cover; object-position: top; border: 1px solid #bbb }
"""


class Camera:
    """Takes every page in its four looks."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        self.taken: list[str] = []
        self.windows: list[Window] = []

    def window(self, home: str) -> Window:
        """A window that shows what a person would see."""
        self.windows.append(Window(self.browser, home))
        self.windows[-1].refused |= set(DOORS.values())
        return self.windows[-1]

    def take(self, window: Window, name: str, path: str, scene: str, click: str = "") -> None:
        """Open a page and take it."""
        page, widths = window.page, {1280: WIDE, 390: PHONE}
        name = f"{scene}-{name}"
        for width, theme in LOOKS:
            page.set_viewport_size(widths[width])  # type: ignore[arg-type]
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            page.goto("about:blank")  # else an address with a place in it would not be loaded anew
            page.goto(path)
            if click:
                page.click(f"{click} >> visible=true")
                page.wait_for_load_state()
            elif "#" not in path:
                # What is fixed at the window's edge stands at the edge of the picture, not across its middle.
                high = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": width, "height": max(high, widths[width]["height"])})
            if path.startswith("file:"):
                # Chromium draws a sheet in a process of its own, and doesn't say when it stands there.
                page.wait_for_timeout(2000)
            page.screenshot(path=self.folder / f"{name}-{width}-{theme}.png")
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        page.emulate_media(color_scheme="light")
        self.taken.append(name)
        print(name, flush=True)

    def business(self, scene: str, owner: Window, rep: Window) -> None:
        """Everything inside a business."""
        found = places(owner.page, "owner")
        lead = linked(rep.page, "/sales/", r"/sales/\?lead=.*").replace("#lead", "")
        for name, path in found.items():
            self.take(rep if name in REPS else owner, name, path, scene)
        if lead:
            self.take(rep, "desk-lead", f"{lead}#lead", scene)
            if rep.page.goto(lead) and rep.page.locator("a[href='#give-back']").count():
                self.take(rep, "desk-give-back", f"{lead}#lead", scene, click="a[href='#give-back']")

    def visitors(self, scene: str, owner: Window, rep: Window, guest: Window) -> None:
        """What a visitor sees of the business's first form, and a lead of its quotes."""
        form = linked(owner.page, "/marketing/forms/", r"/marketing/forms/[0-9a-f-]{36}/")
        public = linked(owner.page, form, r"(https?://[^/]+)?/f/[^/]+/")
        guest.refused.add(urlsplit(public).path)
        for name, path in (("form", public), ("form-thanks", f"{public}thanks/"), ("form-framed", f"{public}frame/")):
            self.take(guest, f"public-{name}", path, scene)
        self.take(guest, "public-form-error", public, scene, click="button[type=submit]")
        if booking := linked(rep.page, "/sales/booking/", r"/b/[^/]+/"):
            self.take(guest, "public-booking", booking, scene)
            self.take(guest, "public-booking-confirm", linked(guest.page, booking, r"/b/[^/]+/confirm/.*"), scene)
        for name, path in rooms(owner.page).items():
            self.take(guest, f"public-{name}", path, scene)
            self.take(guest, f"public-{name}-pdf", self.paper(guest, name, path), scene)

    def paper(self, guest: Window, name: str, path: str) -> str:
        """Keep a quote's PDF, and give the address by which Chromium shows the sheet alone."""
        file = self.folder / f"{name}.pdf"
        file.write_bytes(guest.page.request.get(f"{path}pdf/").body())
        return f"{file.as_uri()}#toolbar=0&navpanes=0&view=Fit"

    def sheet(self) -> None:
        """Write the page that shows all, and pictures of it."""
        rows = "".join(
            f"<section><h2>{escape(name)}</h2>"
            + "".join(
                f'<figure class="w{width}"><figcaption>{width}, {theme}</figcaption>'
                f'<a href="{name}-{width}-{theme}.png"><img src="{name}-{width}-{theme}.png" alt=""></a></figure>'
                for width, theme in LOOKS
            )
            + "</section>\n"
            for name in self.taken
        )
        head = f"<!doctype html><meta charset=utf-8><title>Contact sheet</title><style>{STYLE}</style>"
        (self.folder / "index.html").write_text(f"{head}<h1>Every page of Baton</h1>{rows}")
        page = self.browser.new_page(viewport={"width": 1500, "height": 900})
        page.goto((self.folder / "index.html").as_uri())
        for number, begin in enumerate(range(0, len(self.taken), 6), start=1):
            page.evaluate(
                "([from, to]) => document.querySelectorAll('section')"
                ".forEach((one, i) => one.hidden = i < from || i >= to)",
                [begin, begin + 6],
            )
            page.add_style_tag(content="section[hidden] { display: none }")
            page.screenshot(path=self.folder / f"contact-sheet-{number}.png", full_page=True)
        page.close()


def shoot(browser: Browser, home: str, logins: list[dict[str, Any]], folder: Path, docs: Path) -> list[str]:
    """Take the demo business, then one that was started a moment ago; give what was broken on the way."""
    camera = Camera(browser, folder)
    guest, owner, rep = camera.window(home), camera.window(home), camera.window(home)
    by_role = {one["role"]: one for one in reversed(logins)}
    owner.log_in(by_role["owner"]["email"], by_role["owner"]["password"])
    rep.log_in(by_role["rep"]["email"], by_role["rep"]["password"])
    for name, path in (("desk", "/sales/"), ("marketing", "/marketing/")):
        window = rep if name == "desk" else owner
        window.page.goto(path)
        window.page.screenshot(path=docs / f"{name}.png")
    camera.business("full", owner, rep)
    camera.visitors("full", owner, rep, guest)
    for name, path in DOORS.items():
        camera.take(guest, name, path, "door")

    guest.page.goto("/accounts/signup/")
    for field, text in (
        ("business", "Harbour Bikes"), ("name", "Ines Harbour"),
        ("email", f"owner{int(time.time())}@harbour.example"), ("password1", PASSWORD),
    ):  # fmt: skip
        guest.page.fill(f"[name={field}]", text)
    guest.page.click("button[type=submit]")
    guest.page.wait_for_url(f"{home}/")
    stranger = camera.window(home)
    camera.business("empty", guest, guest)
    camera.visitors("empty", guest, guest, stranger)
    camera.sheet()
    return [trouble for window in camera.windows for trouble in window.troubles]


def main() -> int:
    """Start an installation of its own, take everything, stop it."""
    if program() is None:
        print("Pictures need Chromium. On Debian: apt-get install chromium", file=sys.stderr)
        return 1
    shutil.rmtree(SHEET, ignore_errors=True)
    SHEET.mkdir(parents=True)
    DOCS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="baton-screenshots-") as folder:
        stack = Stack(Path(folder), "", "")
        try:
            stack.manage("migrate", "-v", "0")
            logins = json.loads(stack.manage("demo"))["logins"]
            stack.start("web", "worker", "beat")
            stack.wait_ready()
            with chromium() as browser:
                troubles = shoot(browser, stack.url, logins, SHEET, DOCS)
        finally:
            stack.stop()
    print("\n".join(["", *troubles, f"Look at {SHEET / 'index.html'}"]))
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
