"""A draft that is refused stands there as it was typed, each mistake at its own field."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from funnel.workspaces.models import Workspace
from sales.close import actions as close
from sales.deals.models import LostReason
from sales.negotiation.models import QuoteVersion, State

from .test_reps_pages import ROW, typed

pytestmark = pytest.mark.django_db


def field(page, name):
    """What stands in a field, and the sentence that it is described by."""
    tag, kind, text = re.search(rf'(<(input|textarea) [^>]*name="{name}"[^>]*>)([^<]*)', page).groups()
    value = re.search(r'value="([^"]*)"', tag)
    said = re.findall(r'id="([^"]*(?:wrong|error))"[^>]*>([^<]*)<', page)
    refers = re.search(r'aria-describedby="([^"]*)"', tag)
    why = [words for place, words in said if refers and place in refers[1].split()]
    return text.removeprefix("\n") if kind == "textarea" else value[1] if value else "", " ".join(why)


def test_what_was_typed_stands_there_again_with_what_is_wrong_at_its_field(drafted, rep, browse, gate):
    version = drafted(rep, lines=[])
    row = {"what": "", "more": "m" * 501, "quantity": "-1", "price": "1.005", "less": "101", "tax": "x"}
    given = typed(
        version,
        {},
        row,
        do="save",
        title="",
        words="Dear Ann,\n\n  as we saw",
        terms="30 days",
        valid_until="2020-01-01",
    )
    answer = browse(rep).post(reverse("sales:quote-write", args=[version.quote_id]), given)
    assert answer.status_code == 422
    page = answer.content.decode()
    for name in ("what-1", "more-1", "quantity-1", "price-1", "less-1", "tax-1", "title"):
        value, said = field(page, name)
        assert value == given[name], name
        assert said, name
    for name in ("words", "terms", "valid_until", *(f"{part}-0" for part in ROW)):
        assert field(page, name)[0] == given[name], name


def test_a_day_that_has_passed_is_said_at_the_day_whether_one_saves_or_sends(drafted, rep, browse, gate):
    version = drafted(rep)
    client, says = browse(rep), "This day has passed; choose a later one."
    given = typed(version, {}, do="save", valid_until="2020-01-01")
    page = client.post(reverse("sales:quote-write", args=[version.quote_id]), given).content.decode()
    assert field(page, "valid_until") == ("2020-01-01", says)
    assert field(page, "price-0") == ("1,128.00", "")
    with gate(rep):
        QuoteVersion.objects.update(valid_until="2020-01-01")
    answer = client.post(reverse("sales:quote-send", args=[version.quote_id]), {"to": "eve@elm.example", "remind": ""})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert field(page, "valid_until") == ("2020-01-01", says)
    assert field(page, "to") == ("eve@elm.example", "")
    assert field(page, "what-0")[0] == "Solar panels, 440 W"


def test_a_draft_whose_deal_is_lost_says_so_wherever_it_stands_and_cannot_be_sent(drafted, rep, browse, gate):
    version, client = drafted(rep), browse(rep)
    page, says = reverse("sales:quote", args=[version.quote_id]), "The deal is lost, so this draft can’t be sent"
    drafts, deal = f"{reverse('sales:quotes')}?is=drafts", reverse("sales:deal", args=[version.quote.deal_id])
    before = client.get(f"{page}?send=1").content.decode()
    assert (says in before, "Send quote" in before) == (False, True)
    assert "Deal lost" not in client.get(drafts).content.decode()
    with gate(rep) as at:
        close.lose(version.quote.deal, reason=LostReason.objects.first(), by=rep, at=at)
    after = client.get(f"{page}?send=1").content.decode()
    assert (says in after, "Send" in after, 'id="send"' in after) == (True, False, False)
    assert "Deal lost" in client.get(drafts).content.decode()
    assert "not sent yet, and the deal is lost" in client.get(deal).content.decode()
    # A page that stood open before.
    refused = client.post(reverse("sales:quote-send", args=[version.quote_id]), {"to": "eve@elm.example", "remind": ""})
    assert (refused.status_code, says in refused.content.decode()) == (409, True)
    given = typed(version, {}, do="send", words="Dear Ann, as we saw")
    kept = client.post(reverse("sales:quote-write", args=[version.quote_id]), given, follow=True).content.decode()
    assert (says in kept, "Dear Ann, as we saw" in kept) == (True, True)
    with gate(rep):
        assert QuoteVersion.objects.get().state == State.DRAFT


@pytest.mark.parametrize("who", ["rep", "owner"])
def test_the_last_look_names_what_a_quote_should_say_of_the_business(who, drafted, rep, owner, browse):
    version = drafted(rep)
    client = browse({"rep": rep, "owner": owner}[who])

    def sheet():
        page = client.get(reverse("sales:quote", args=[version.quote_id])).content.decode()
        return page[page.index('id="send-t"') :]

    assert "Your address and tax number will not stand on it." in sheet()
    assert ("Enter it first" in sheet()) is (who == "owner")
    Workspace.objects.filter(pk=rep.workspace.pk).update(address="1 High Street")
    assert "Your tax number will not stand on it." in sheet()
    Workspace.objects.filter(pk=rep.workspace.pk).update(tax_number="GB 123")
    assert "will not stand on it" not in sheet()
