"""The checklist ticks itself off by what really happened."""

import pytest
from django.urls import reverse

from marketing.capture.actions import send_in
from marketing.capture.checklist import steps
from marketing.capture.models import Form


@pytest.fixture
def send(gate, owner):
    def sent(email, *flags):
        with gate(owner) as at:
            send_in(Form.objects.get(), {"name": "V", "email": email}, origin={}, flags=list(flags), at=at)

    return sent


@pytest.fixture
def done(gate, owner):
    def listed():
        with gate(owner) as at:
            return {step["key"]: step["done"] for step in steps(owner.workspace, owner, at)}

    return listed


def test_a_try_that_was_held_back_is_no_lead_and_says_so(send, done, gate, owner):
    send("me@elsewhere.example", "fast")
    assert done() == {"try-form": False, "share-form": False}
    with gate(owner) as at:
        (trial, _) = steps(owner.workspace, owner, at)
        assert "held back" in trial["says"]
        assert trial["url"].endswith("/submissions/")


def test_ones_own_try_is_not_sharing_but_two_strangers_are_and_the_step_says_why(send, done, gate, owner, browse):
    send("me@elsewhere.example")
    assert done() == {"try-form": True, "share-form": False}
    send("somebody@else.example")
    assert done() == {"try-form": True, "share-form": True}
    page = browse(owner).get("/").content.decode()
    assert "It came from 2 addresses that are none of yours, so others have it." in page
    with gate(owner):
        form = Form.objects.get()
    browse(owner).post(reverse("marketing:form-shared", args=[form.pk]))
    assert "One of you said that it is shared." in browse(owner).get("/").content.decode()
