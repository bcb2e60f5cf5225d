"""What was typed about a demo is still there where somebody else changed the demo meanwhile."""

from __future__ import annotations

import html
import re

import pytest
from django.urls import reverse

from sales.demos import actions as demos
from sales.demos.models import Demo

pytestmark = pytest.mark.django_db


def text(answer):
    return html.unescape(answer.content.decode())


def test_a_note_waits_beside_the_colleagues_and_the_button_pressed_again_keeps_it(rep, owner, past_demo, browse, gate):
    demo, page = past_demo(rep), browse(rep)
    seen = {"version": demo.version, "next": reverse("sales:demos")}
    with gate(rep) as at:
        demos.held(demo, by=owner, at=at, note="They liked the roof")
    refused = page.post(reverse("sales:demo-missed", args=[demo.pk]), {"note": "Nobody at the door", **seen})
    assert refused.status_code == 409
    assert "The note so far: “<bdi>They liked the roof</bdi>”" in text(refused)
    with gate(rep):
        assert (Demo.objects.get().state, Demo.objects.get().note) == ("held", "They liked the roof")
    fields = dict(re.findall(r'name="(version|next)" value="([^"]*)"', text(refused)))
    fields["note"] = re.search(r"<textarea[^>]*>\s*(.*?)</textarea>", text(refused))[1]
    done = page.post(reverse("sales:demo-missed", args=[demo.pk]), fields)
    assert (done.status_code, done.url) == (302, reverse("sales:demos"))
    with gate(rep):
        assert (Demo.objects.get().state, Demo.objects.get().note) == ("missed", "Nobody at the door")


@pytest.mark.parametrize(
    ("verb", "field", "says"),
    [("held", "note", "This demo was cancelled."), ("missed", "note", "This demo was cancelled."),
     ("cancel", "reason", "This demo was held.")],
)  # fmt: skip
def test_what_cannot_be_said_any_more_is_refused_with_what_was_typed(
    rep, owner, past_demo, browse, gate, verb, field, says
):
    demo = past_demo(rep)
    with gate(rep) as at:
        demos.held(demo, by=owner, at=at) if verb == "cancel" else demos.cancel(demo, by=owner, at=at)
    refused = browse(rep).post(reverse(f"sales:demo-{verb}", args=[demo.pk]), {field: "A word of mine", "version": "1"})
    assert refused.status_code == 409
    assert says in text(refused)
    assert "A word of mine</textarea>" in text(refused)
    form = re.search(r'<form class="stacked mid".*?</form>', text(refused), re.DOTALL)[0]
    assert "<button" not in form, "it would be refused again"


def test_a_note_stays_where_another_demo_took_the_time_of_one_that_was_missed(rep, past_demo, browse, gate):
    demo = past_demo(rep)
    with gate(rep) as at:
        demos.no_show(demo, by=rep, at=at)
    other = past_demo(rep, "Ben Bell")
    with gate(rep):
        sent = {"note": "They came late", "version": Demo.objects.get(pk=demo.pk).version}
    refused = browse(rep).post(reverse("sales:demo-held", args=[demo.pk]), sent)
    assert refused.status_code == 409
    assert f"with {other.lead}." in text(refused)
    assert "They came late</textarea>" in text(refused)
    with gate(rep):
        assert Demo.objects.get(pk=demo.pk).state == "missed"
