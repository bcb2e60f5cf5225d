"""Whoever counts on a mail reads whether it leaves, whether that was tried, or that there is no server."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.sales.negotiation.conftest import ROOF, drafted

__all__ = ["drafted"]
NONE, UNTRIED = "Mail is not being sent", "Mail is not tried yet"


@pytest.fixture(params=[NONE, UNTRIED, ""])
def why(request, rep, settings, mail_works):
    """Why no mail leaves; blank where it does."""
    settings.EMAIL_URL = "" if request.param == NONE else "smtp://mail.example"
    if not request.param:
        mail_works(rep)
    return request.param


@pytest.fixture
def lead(rep, catch, gate):
    """Ann is with the rep, and no letter has gone yet."""
    lead = catch(rep)
    with gate(rep) as at:
        lead.move("working", at=at, holder=rep)
    return lead


def text(answer):
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def said(page):
    """Which of the two sentences stand on it."""
    return {sentence for sentence in (NONE, UNTRIED) if sentence in page}


def test_a_reminder_of_a_next_step(why, rep, lead, browse):
    page = text(browse(rep).get(f"/sales/?lead={lead.pk}"))
    help_text = page.partition('id="step-remind_helptext">')[2].partition("<")[0]
    assert said(help_text) == ({why} if why else set())
    assert ("The step stands on your desk all the same." in help_text) is bool(why)


def test_a_quote_that_is_sent(why, rep, drafted, browse):
    version = drafted(rep, lines=[ROOF])
    page = text(browse(rep).get(reverse("sales:quote", args=[version.quote_id])))
    sheet = page[page.index('id="send-t"') :]
    assert said(sheet) == ({why} if why else set())
    sent = text(
        browse(rep).post(
            reverse("sales:quote-send", args=[version.quote_id]),
            {"to": "ann@bell.example", "valid_until": version.valid_until.isoformat()},
            follow=True,
        )
    )
    assert (f" can be read now. {why}: copy the link and pass it on." in sent) is bool(why)
    assert ("is on its way to ann@bell.example." in sent) is not bool(why)


def test_a_question_to_marketing(why, rep, lead, browse):
    page = text(browse(rep).post(reverse("lead-ask", args=[lead.pk]), {"words": "Who is she?"}, follow=True))
    assert (f"Asked. {why}: look here for the answer." in page) is bool(why)
    assert ("The answer comes to you by mail" in page) is not bool(why)
