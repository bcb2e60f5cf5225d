"""A quote is begun: with whom nobody has qualified yet, and taxed how where nobody has said it yet."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from funnel.leads.models import Lead
from funnel.templatetags.words import day
from sales.deals.models import Deal
from sales.negotiation import pricelist
from sales.negotiation.models import Product, Quote, QuoteVersion
from sales.qualification import actions as qualification
from sales.qualification.actions import Said
from sales.qualification.models import Met, Question

from .test_reps_pages import typed

pytestmark = pytest.mark.django_db
LACKS = "need is not known, budget is not known, authority is not known, timing is not known"


def stands(gate, lead):
    with gate(lead.workspace):
        return Lead.objects.get(pk=lead.pk).stage, Deal.objects.count(), Quote.objects.count()


def test_with_whom_is_not_qualified_a_quote_is_made_only_once_somebody_has_said_so(taken, rep, browse, gate):
    lead, client = taken(rep), browse(rep)
    where = reverse("sales:quote-with", args=[lead.pk])
    shown = client.get(reverse("lead", args=[lead.pk])).content.decode()
    assert f"Not qualified yet: {LACKS}. A quote opens a deal, and with it they count as qualified." in shown
    refused = client.post(where, follow=True).content.decode()
    assert f"Ann Bell is not qualified yet: {LACKS}. Nothing is opened." in refused
    assert stands(gate, lead) == ("working", 0, 0)
    said = dict(re.findall(r'<button type="submit" name="(anyway)" value="(1)">', shown))
    assert "Draft" in client.post(where, said, follow=True).content.decode()
    assert stands(gate, lead) == ("qualified", 1, 1)
    with gate(rep):
        quote = Quote.objects.get()
    assert "£0.00" not in client.get(reverse("sales:quotes"), {"is": "drafts"}).content.decode()
    gone = client.post(reverse("sales:quote-discard", args=[quote.pk]), follow=True).content.decode()
    assert "The draft is thrown away. Its deal stays open." in gone


def test_with_whom_has_answered_what_is_required_a_quote_is_made_at_once(taken, rep, browse, gate):
    lead, client = taken(rep), browse(rep)
    with gate(rep) as at:
        keys = Question.objects.filter(required=True).values_list("key", flat=True)
        qualification.answer(lead, {key: Said(Met.MET) for key in keys}, by=rep, at=at)
    assert "Not qualified yet" not in client.get(reverse("lead", args=[lead.pk])).content.decode()
    client.post(reverse("sales:quote-with", args=[lead.pk]))
    assert stands(gate, lead) == ("qualified", 1, 1)


def test_a_rate_that_nobody_has_said_is_asked_for_and_never_taken_for_none(drafted, rep, browse, gate):
    version = drafted(rep, lines=[])
    client, write = browse(rep), reverse("sales:quote-write", args=[version.quote_id])
    refused = client.post(write, typed(version, {"tax": ""}, do="send"))
    assert refused.status_code == 422
    assert "Line 1, VAT: Say the rate; write 0 where there is none." in refused.content.decode()
    with gate(rep):
        assert not QuoteVersion.objects.get().lines.exists()
    assert client.post(write, typed(version, {"tax": "0"}, do="send")).status_code == 302
    with gate(rep):
        assert [one.tax_rate for one in QuoteVersion.objects.get().lines.all()] == [0]


def test_a_line_of_ones_own_begins_with_the_rate_of_most_products_else_with_the_one_written_last(
    drafted, owner, rep, browse, gate
):
    version = drafted(rep, lines=[])

    def begins() -> str:
        page = browse(rep).get(reverse("sales:quote", args=[version.quote_id])).content.decode()
        (field,) = re.findall(r'<input[^>]*name="tax-0"[^>]*>', page)
        return re.search(r'value="([^"]*)"', field)[1]

    assert begins() == ""
    other = drafted(rep, "Ben Bell", lines=[])
    browse(rep).post(reverse("sales:quote-write", args=[other.quote_id]), typed(other, {"tax": "5"}, do="save"))
    assert begins() == "5"
    with gate(owner) as at:
        for name, rate in (("Battery", 20_000), ("Panel", 20_000), ("Book", 5_000)):
            pricelist.add(Product(name=name, tax_rate=rate), {"GBP": 100}, by=owner, at=at)
    assert begins() == "20"


def test_a_call_about_the_quote_on_a_day_that_is_closed_says_so(drafted, owner, rep, browse, gate):
    version = drafted(rep)
    with gate(rep) as at:
        on = (rep.workspace.local(at) + timedelta(days=3)).date()
    browse(owner).post(reverse("holidays"), {"first": on.isoformat()})
    send = reverse("sales:quote-send", args=[version.quote_id])
    page = browse(rep).post(send, {"to": "", "remind": "soon"}, follow=True).content.decode()
    assert f"Next: call on {day(on)}. Nobody works on {day(on)}" in page
