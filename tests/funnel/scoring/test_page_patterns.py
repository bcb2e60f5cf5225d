"""Which pages a rule's pattern holds: the same when somebody opens them and when the past is judged again."""

from __future__ import annotations

import time

import pytest
from django.urls import reverse

from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.scoring import changing
from funnel.scoring.models import ScorePoint

pytestmark = pytest.mark.django_db
PAGES = {
    "/prices": ["/prices", "https://bell.example/prices?a=1"],
    "about*us": ["/about_us", "/about/of/us?x"],
    "us*about": ["/us/about"],
    "a[b]?x=50%": ["/a[b]?x=50%"],
    "_": ["/about_us"],
    "%": ["/a[b]?x=50%"],
    "?": ["/a[b]?x=50%", "https://bell.example/prices?a=1", "/about/of/us?x"],
    "\\": ["/c\\d"],
    "^b": ["/^b!"],
    "ß*日本": ["/ü/ßtraße/日本"],
    "É": [],
    "'": [],
    "a*a*a*a*a*b": [],
}
OPENED = sorted({page for pages in PAGES.values() for page in pages} | {"/Prices", "/ab", "/SS/é", "", "a" * 4000})


@pytest.mark.parametrize("again", [False, True])
def test_a_pattern_holds_the_same_pages_at_the_time_and_judged_again(owner, gate, browse, work, again):
    page = browse(owner)

    def publish(counts):
        page.post(reverse("rules-publish"), {"again": counts})
        work()

    for pattern in PAGES:
        sent = {"kind": "page_view", "page": pattern, "points": "7", "group": "", "reason": ""}
        assert page.post(f"{reverse('rule-add')}?of=engagement", sent).status_code == 302
    if not again:
        publish("")
    with gate(owner) as at:
        (got,) = receive(owner.workspace, [Capture(email="ann@bell.example")], at=at)
        for address in OPENED:
            touch(got.lead, "page_view", at=at, data={"page": address})
    work()
    began = time.monotonic()
    if again:
        publish("yes")
    assert time.monotonic() - began < 20, "a pattern of stars took its time"
    with gate(owner):
        version = changing.in_force().version
        names = {rule["key"]: rule["page"] for rule in version.rules["engagement"] if rule.get("page")}
        held = {pattern: [] for pattern in PAGES}
        for rule, address in ScorePoint.objects.filter(version=version).values_list("rule", "event__data__page"):
            if rule in names:
                held[names[rule]].append(address)
    assert {pattern: sorted(pages) for pattern, pages in held.items()} == {
        pattern: sorted(pages) for pattern, pages in PAGES.items()
    }
