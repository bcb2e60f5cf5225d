"""The board: what stands where, what it is worth, what stays too long, and who may move what."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from funnel.leads.models import Lead
from sales.deals import actions as deals
from sales.deals.ageing import ENOUGH
from sales.deals.models import Deal, DealStage


def board(client, query="", **headers):
    answer = client.get(f"/sales/board/{query}", **headers)
    assert answer.status_code == 200
    return answer.content.decode().replace("\xa0", " ")


def column(page, stage):
    """The part of the page that shows one stage."""
    return page[page.index(f'id="c-{stage}"') :].partition("</section>")[0]


def cards(page):
    return re.findall(r'id="deal-([0-9a-f-]{36})"', page)


def row(gate, deal):
    with gate(deal.workspace):
        return Deal.objects.filter(pk=deal.pk).values().get()


def test_each_stage_shows_its_deals_and_their_worth_and_never_adds_currencies(rep, other_rep, browse, deal_with):
    deal_with(rep, "Ann Bell", amount=840_000)
    deal_with(rep, "Bob Ray", amount=120_000)
    deal_with(other_rep, "Cid Fox", amount=99_00, currency="EUR")
    deal_with(other_rep, "Dot Elm", stage=DealStage.DEMO)
    page = board(browse(rep))
    qualified, demo = column(page, "qualified"), column(page, "demo")
    assert "£9,600" in qualified
    assert "and apart €99" in qualified
    assert "1 without an amount" in demo
    assert ("Ann Bell" in qualified, "Dot Elm" in demo, "Dot Elm" in qualified) == (True, True, False)
    assert "4 open, £9,600 and €99. Otto 2 for €99, Rita 2 for £9,600" in page


def test_one_s_own_cards_have_a_menu_and_a_manager_s_every_one(rep, other_rep, manager, viewer, browse, deal_with):
    mine, theirs = deal_with(rep, "Ann Bell"), deal_with(other_rep, "Bob Ray")
    page = board(browse(rep))
    assert (f"menu-{mine.pk}" in page, f"menu-{theirs.pk}" in page) == (True, False)
    page = board(browse(manager))
    assert (f"menu-{mine.pk}" in page, f"menu-{theirs.pk}" in page) == (True, True)
    assert "data-moves" not in board(browse(viewer))


def test_a_card_moves_by_its_menu_and_a_colleague_s_stays(rep, other_rep, browse, gate, deal_with):
    mine, theirs = deal_with(rep, "Ann Bell"), deal_with(other_rep, "Bob Ray")
    client = browse(rep)
    back = "/sales/board/?is=mine"
    answer = client.post(f"/sales/deals/{mine.pk}/move/", {"stage": "negotiation", "next": back})
    assert (answer.status_code, answer.headers["Location"]) == (302, back)
    assert row(gate, mine)["stage"] == "negotiation"
    assert "The deal with Ann Bell is in Negotiation now." in board(client)
    before = row(gate, theirs)
    assert client.post(f"/sales/deals/{theirs.pk}/move/", {"stage": "demo"}).status_code == 403
    for stage in ("won", "lost", "", "x"):
        assert client.post(f"/sales/deals/{mine.pk}/move/", {"stage": stage}).status_code == 302
    answer = client.post(f"/sales/deals/{mine.pk}/move/", {"stage": "demo", "next": "https://elsewhere.example/"})
    assert answer.headers["Location"] == f"/sales/deals/{mine.pk}/"
    assert (row(gate, theirs), row(gate, mine)["stage"]) == (before, "demo")


@pytest.mark.parametrize("enough", [True, False])
def test_past_twice_the_usual_the_card_says_so_where_enough_went_on(enough, rep, browse, gate, deal_with):
    for n in range(ENOUGH if enough else ENOUGH - 1):
        went = deal_with(rep, f"Gone {n}")
        with gate(rep) as at:
            Deal.objects.filter(pk=went.pk).update(stage_since=at - timedelta(days=3))
            deals.move(went, DealStage.DEMO, by=rep, at=at)
    stays, fresh = deal_with(rep, "Ann Bell"), deal_with(rep, "Bob Ray")
    with gate(rep) as at:
        Deal.objects.filter(pk=stays.pk).update(stage_since=at - timedelta(days=7))
        Deal.objects.filter(pk=fresh.pk).update(stage_since=at - timedelta(days=5))
    page = board(browse(rep))
    assert ("7 days here, usually 3 days" in page) is enough
    assert ("Usually 3 days" in page) is enough
    assert "5 days here" in page
    if enough:
        assert cards(board(browse(rep), "?is=late")) == [str(stays.pk)]


def test_where_most_go_on_within_hours_the_deal_says_so_in_words(rep, browse, gate, deal_with):
    for n in range(ENOUGH):
        went = deal_with(rep, f"Gone {n}")
        with gate(rep) as at:
            deals.move(went, DealStage.DEMO, by=rep, at=at)
    stays, late = deal_with(rep, "Ann Bell"), deal_with(rep, "Bob Ray")
    with gate(rep) as at:
        Deal.objects.filter(pk=late.pk).update(stage_since=at - timedelta(days=2))
    client = browse(rep)
    assert "Here since today, usually under half a day<" in client.get(f"/sales/deals/{stays.pk}/").content.decode()
    assert "2 days here, usually under half a day<" in client.get(f"/sales/deals/{late.pk}/").content.decode()
    assert "2 days here, usually under half a day" in board(client)


def test_a_column_goes_on_by_key_and_holds_every_card_once(rep, other_rep, browse, deal_with):
    made = {str(deal_with(rep if n % 2 else other_rep, f"Person {n}").pk) for n in range(23)}
    client = browse(rep)
    page = board(client)
    seen = cards(column(page, "qualified"))
    assert len(seen) == 20
    onward = re.search(r'hx-get="(\?of=qualified&amp;after=[^"]+)"', page).group(1).replace("&amp;", "&")
    with CaptureQueriesContext(connection) as spent:
        fragment = board(client, onward, HTTP_HX_REQUEST="true")
    assert "<html" not in fragment
    # What a column is worth stands above it already; to sum every open deal again costs more than the cards.
    assert not [one["sql"] for one in spent if "SUM(" in one["sql"]]
    seen += cards(fragment)
    assert (len(seen), set(seen)) == (23, made)
    assert cards(column(board(client, onward), "qualified")) == seen[20:]
    assert client.get(f"/sales/board/?of=qualified&after={quote('x:y')}").status_code == 400
    assert len(cards(board(client, "?is=mine"))) == 11
    assert len(cards(board(client, f"?is={other_rep.pk}"))) == 12


def test_ten_deals_cost_no_more_queries_than_one_and_none_is_another_business_s(
    rep, other_rep, outsider, browse, deal_with
):
    client = browse(rep)

    def cost():
        with CaptureQueriesContext(connection) as spent:
            page = board(client)
        return len(spent), len(cards(page))

    deal_with(outsider, "Otto Foreign", amount=5)
    assert "No deals yet" in board(client)
    deal_with(rep, "Person 0", amount=100, currency="EUR")
    one, few = cost()
    for n in range(1, 10):
        stage = (DealStage.QUALIFIED, DealStage.DEMO, DealStage.NEGOTIATION)[n % 3]
        deal_with(rep if n % 2 else other_rep, f"Person {n}", amount=100, stage=stage)
    ten, more = cost()
    assert (few, more) == (1, 10)
    assert ten <= one
    assert ten <= 24


def test_a_deal_is_opened_from_the_lead_s_page_changed_and_seen_there_and_on_the_desk(rep, catch, browse, gate):
    lead, client = catch(rep), browse(rep)
    assert f"/sales/leads/{lead.pk}/deal/" in client.get(f"/leads/{lead.pk}/").content.decode()
    answer = client.post(f"/sales/leads/{lead.pk}/deal/", {"title": "", "amount": "much"})
    assert answer.status_code == 422
    assert "Say what it is about." in answer.content.decode()
    answer = client.post(f"/sales/leads/{lead.pk}/deal/", {"title": "Barn roof", "amount": "12,400.50"})
    assert answer.status_code == 302
    with gate(rep):
        deal = Deal.objects.get()
        assert (deal.title, deal.amount, deal.currency, deal.holder_id) == ("Barn roof", 1_240_050, "GBP", rep.pk)
        assert Lead.objects.get(pk=lead.pk).stage == "qualified"
    assert "£12,400.50" in client.get(answer.headers["Location"]).content.decode()
    client.post(f"/sales/deals/{deal.pk}/edit/", {"title": "Barn and stable", "amount": ""})
    for page in (f"/leads/{lead.pk}/", f"/sales/?lead={lead.pk}", "/sales/deals/add/?q=ann"):
        text = client.get(page).content.decode()
        assert ("Barn and stable" in text) is ("add" not in page)
    with gate(rep):
        assert Deal.objects.get().amount is None


@pytest.mark.parametrize(
    ("days", "what"), [(0, "Undo that first."), (2, "Open another deal for what is new.")], ids=["today", "long-ago"]
)
@pytest.mark.parametrize(("end", "form"), [("won", "edit"), ("lost", "edit"), ("won", "won"), ("won", "lost")])
def test_a_form_that_an_ended_deal_can_t_take_says_why_instead_of_opening(
    end, form, days, what, rep, browse, gate, deal_with
):
    deal, client = deal_with(rep, amount=100), browse(rep)
    body = {"won": {"amount": "1", "on": timezone.localdate().isoformat()}, "lost": {"reason": "price"}}
    client.post(f"/sales/deals/{deal.pk}/{end}/", body[end])
    with gate(rep) as at:
        Deal.objects.filter(pk=deal.pk).update(decided_at=at - timedelta(days=days))
    before, address = row(gate, deal), f"/sales/deals/{deal.pk}/{form}/"
    answers = [client.get(address, follow=True)]
    if form == "edit":
        answers.append(client.post(address, {"title": "Bigger"}, follow=True))
    else:
        alone = client.get(address, headers={"hx-request": "true"})
        assert (alone["HX-Redirect"], alone.content) == (f"/sales/deals/{deal.pk}/", b"")
    for answer in answers:
        assert answer.redirect_chain == [(f"/sales/deals/{deal.pk}/", 302)]
        assert f"The deal with Ann Bell is {end}, so it stays as it is. {what}" in answer.content.decode()
    assert row(gate, deal) == before


def test_a_colleague_s_deal_can_be_read_but_its_forms_are_closed(rep, other_rep, browse, gate, deal_with):
    deal, client = deal_with(other_rep, amount=100), browse(rep)
    before = row(gate, deal)
    page = client.get(f"/sales/deals/{deal.pk}/").content.decode()
    assert "Otto Rep" in page
    assert "/won/" not in page
    for form in ("edit", "won", "lost"):
        assert client.get(f"/sales/deals/{deal.pk}/{form}/").status_code == 403
        assert client.post(f"/sales/deals/{deal.pk}/{form}/", {"title": "x", "amount": "1"}).status_code == 403
    assert client.post(f"/sales/leads/{deal.lead_id}/deal/", {"title": "x"}).status_code in (403, 422)
    assert row(gate, deal) == before
