"""A quote on paper says what the page says, whatever signs stand in it."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pypdf import PdfReader

from funnel.mail.files import files_of
from funnel.mail.models import Message
from funnel.workspaces import logos
from funnel.workspaces.models import Workspace
from sales.negotiation import actions as quotes
from sales.negotiation import answers
from sales.negotiation.actions import LineDraft
from sales.negotiation.document import digest_of
from sales.negotiation.links import path_of
from sales.negotiation.models import QuoteVersion
from sales.negotiation.paper import pdf_of
from tests.funnel.people.pictures import png

pytestmark = pytest.mark.django_db


def words(content):
    """The text of a PDF, with every run of white space as one blank."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).split())


def test_the_paper_says_what_was_offered_and_is_the_same_every_time(sent, rep):
    version = sent(rep)
    client = Client()
    answer = client.get(f"{path_of(version)}pdf/")
    assert answer["Content-Type"] == "application/pdf"
    assert f'filename="{version.quote.name}-v1.pdf"' in answer["Content-Disposition"]
    said = words(answer.content)
    for part in (version.quote.name, "Solar panels, 440 W", "£1,792.00", "5 %", "£3,752.50", "£6,295.00", "Rita Rep"):
        assert part in said.replace("\xa0", " ")
    assert version.digest in said.replace(" ", "")
    assert client.get(f"{path_of(version)}pdf/").content == answer.content
    assert PdfReader(io.BytesIO(answer.content)).metadata.title.startswith(version.quote.name)


def test_what_was_accepted_is_the_same_paper_in_the_next_year_and_says_the_year(sent, rep, gate, monkeypatch):
    version = sent(rep, words="As we saw it on your roof.")
    with gate(rep) as at:
        answers.accept(QuoteVersion.objects.whole().get(pk=version.pk), signed="Ann Bell", at=at)
    client, path = Client(), path_of(version)
    paper, later = client.get(f"{path}pdf/").content, timezone.now() + timedelta(days=400)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert client.get(f"{path}pdf/").content == paper
    on = rep.workspace.local(at)
    assert f"Accepted on {on:%A} {on.day} {on:%B %Y} by typed name: Ann Bell" in words(paper)
    assert f"Rita, {on.day} {on:%b %Y}" in words(paper)
    page = client.get(path).content.decode()
    for said in ("Accepted by <bdi>Ann Bell</bdi> on ", "Typed on "):
        assert f"{said}{on:%a} {on.day} {on:%b %Y}, {on:%H:%M}, London time" in page


@pytest.mark.parametrize(
    "sign", ["太陽光パネル", "ألواح شمسية", "👩‍🌾 ☀️", "#let x = 1 *bold* $ _ @ref", "\u202egnp.exe"]
)
def test_a_sign_that_no_font_has_never_stops_a_quote(drafted, rep, gate, sign):
    version = drafted(rep, lines=[LineDraft(f"Roof {sign}", 10_000, 500, more=sign)], title=sign, terms=sign)
    with gate(rep) as at:
        quotes.send(version, by=rep, at=at)
        made = pdf_of(version, at)
    assert "£5.00" in words(made)
    if sign.startswith("#"):
        assert sign in words(made)


def test_the_logo_stands_on_it_and_one_that_cannot_be_drawn_is_left_out(drafted, rep, gate, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    sizes = []
    for content in (b"", png(60, 20), png(60, 20)[:-30]):
        logo = logos.keep(rep.workspace_id, content) if content else ""
        Workspace.objects.filter(pk=rep.workspace_id).update(logo=logo)
        version = drafted(rep, f"Ann Bell{len(sizes)}")
        with gate(rep) as at:
            sizes.append(len(PdfReader(io.BytesIO(pdf_of(version, at))).pages[0].images))
    assert sizes == [0, 1, 0]


def test_a_hundred_lines_go_on_over_the_pages(drafted, rep, gate):
    version = drafted(rep, lines=[LineDraft(f"Line {place}", 10_000, 500) for place in range(100)])
    with gate(rep) as at:
        made = pdf_of(version, at)
    assert len(PdfReader(io.BytesIO(made)).pages) >= 3
    assert "Line 99" in words(made)
    assert "This is a draft" in words(made)


def test_the_letter_carries_the_paper_and_the_proof_is_of_what_was_sent(sent, rep, gate):
    version = sent(rep)
    with gate(rep):
        letter = Message.objects.get(kind="quote")
        (file,) = files_of(letter)
        assert file.name == f"{version.quote.name}-v1.pdf"
        assert "£6,295.00" in words(file.make())
    assert digest_of(version.document) == version.digest
