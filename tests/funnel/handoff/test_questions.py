"""A rep asks marketing for more instead of giving back; marketing answers with words, and the rep gets them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff import questions
from funnel.handoff.models import Question
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.mail.models import Message
from funnel.outbox.models import Event


@pytest.fixture
def lead(gate, rep, work):
    capture = Capture(kind="form", name="Ann Bell", email="ann@bell.example", asks=True, data={"form": "Contact us"})
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [capture], at=at)
    work()
    return got.lead


@pytest.mark.parametrize("taken", [False, True])
def test_the_question_and_the_answer_stand_on_the_lead_and_reach_the_rep(
    lead, rep, marketer, browse, gate, work, taken
):
    if taken:
        with gate(rep) as at:
            handoff.accept(Lead.objects.get(), by=rep, at=at)
    desk = f"{reverse('sales:desk')}?lead={lead.pk}"
    assert "Ask marketing…" in browse(rep).get(desk).content.decode()
    asked = browse(rep).post(reverse("lead-ask", args=[lead.pk]), {"words": "Did they come to the fair?", "next": desk})
    assert (asked.status_code, asked["Location"]) == (302, desk)
    assert "1 question from sales waits" in browse(marketer).get(reverse("marketing:home")).content.decode()
    page = browse(marketer).get(reverse("marketing:questions")).content.decode()
    assert "Did they come to the fair?" in page
    with gate(rep):
        one = Question.objects.get()
        assert Lead.objects.get().stage == ("working" if taken else "ready"), "the lead stays where it is"
    said = {"answer": "Yes, on Sunday"}
    assert browse(marketer).post(reverse("marketing:question-answer", args=[one.pk]), said).status_code == 302
    for where in (desk, reverse("lead", args=[lead.pk])):
        told = browse(rep).get(where).content.decode()
        assert "Did they come to the fair?" in told
        assert "Yes, on Sunday" in told
    with gate(rep):
        assert list(Event.objects.filter(kind__startswith="marketing_").order_by("id").values_list("kind", "data")) == [
            ("marketing_asked", {"question": str(one.pk), "note": "Did they come to the fair?"}),
            ("marketing_answered", {"question": str(one.pk), "note": "Yes, on Sunday"}),
        ]
        letter = Message.objects.get(kind="marketing-answered")
        assert (letter.to_email, letter.context["answer"]) == (rep.email, "Yes, on Sunday")
    answered = browse(marketer).get(reverse("marketing:questions") + "?is=answered").content.decode()
    assert "Yes, on Sunday" in answered


def test_only_who_has_a_lead_or_is_offered_it_asks(lead, other_rep, marketer, browse, gate):
    assert browse(other_rep).post(reverse("lead-ask", args=[lead.pk]), {"words": "Hm?"}).status_code == 403
    assert browse(marketer).post(reverse("lead-ask", args=[lead.pk]), {"words": "Hm?"}).status_code == 403
    with gate(other_rep):
        assert not Question.objects.exists()
    assert "Ask marketing" not in browse(other_rep).get(reverse("lead", args=[lead.pk])).content.decode()


def test_a_question_is_answered_once(lead, rep, marketer, manager, browse, gate):
    with gate(rep) as at:
        one = questions.ask(lead, "Who is it?", by=rep, at=at)
    for member, said in ((marketer, "The baker"), (manager, "Nobody")):
        browse(member).post(reverse("marketing:question-answer", args=[one.pk]), {"answer": said})
    with gate(rep):
        one.refresh_from_db()
        assert (one.answer, one.answered_by) == ("The baker", marketer)
        assert Message.objects.filter(kind="marketing-answered").count() == 1


@pytest.mark.parametrize("words", ["", "   ", "x" * 2001, "a\0b"])
def test_words_that_say_nothing_come_back(lead, rep, marketer, browse, gate, words):
    answer = browse(rep).post(reverse("lead-ask", args=[lead.pk]), {"words": words})
    assert answer.status_code == 422
    with gate(rep) as at:
        assert not Question.objects.exists()
        one = questions.ask(lead, "Who is it?", by=rep, at=at)
    answer = browse(marketer).post(reverse("marketing:question-answer", args=[one.pk]), {"answer": words})
    assert answer.status_code == 422
    with gate(rep):
        one.refresh_from_db()
        assert one.answered_at is None


def test_a_question_of_another_business_is_not_found(lead, rep, outsider, browse, gate):
    with gate(rep) as at:
        one = questions.ask(lead, "Who is it?", by=rep, at=at)
    assert (
        browse(outsider).post(reverse("marketing:question-answer", args=[one.pk]), {"answer": "x"}).status_code == 404
    )
    assert "Who is it?" not in browse(outsider).get(reverse("marketing:questions")).content.decode()


def test_the_list_goes_on_by_key_and_costs_the_same_for_one_and_for_fifty(lead, rep, marketer, browse, gate):
    client = browse(marketer)

    def ask(*numbers):
        with gate(rep) as at:
            for number in numbers:
                questions.ask(lead, f"Question {number:03}", by=rep, at=at)

    def asked():
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(reverse("marketing:questions"))
        return answer, len(queries)

    ask(0)
    asked()
    _, few = asked()
    ask(*range(1, 60))
    answer, many = asked()
    assert many <= few
    rest = client.get(reverse("marketing:questions") + answer.context["next_url"])
    shown = [one.words for one, *_ in [*answer.context["rows"], *rest.context["rows"]]]
    assert shown == [f"Question {number:03}" for number in range(60)]
    assert client.get(reverse("marketing:questions") + "?after=rubbish").status_code == 400
