"""A rep writes a quote, sends it and looks after it; everybody reads it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.mail.models import Message
from funnel.outbox.models import Event
from funnel.workspaces.models import Workspace
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import Deal, DealStage, LostReason
from sales.negotiation import actions as quotes
from sales.negotiation import answers, pricelist
from sales.negotiation.links import path_of, url_of
from sales.negotiation.models import Product, Quote, QuoteVersion
from sales.queue import actions as steps
from sales.queue.models import Task

pytestmark = pytest.mark.django_db
ROW = {"what": "Panels", "more": "", "quantity": "14", "price": "1,128.00", "less": "5 %", "tax": "20", "product": ""}


def typed(version, *rows, **also):
    """What the draft's form sends."""
    given = {"title": "Roof", "words": "As we saw", "terms": "", "valid_until": version.valid_until.isoformat()}
    for place, row in enumerate(rows):
        given |= {f"{name}-{place}": value for name, value in (ROW | row).items()}
    return given | also


def latest(gate, member):
    with gate(member):
        return QuoteVersion.objects.whole().order_by("-number").first()


def lines(gate, member):
    with gate(member):
        return [(one.text, one.unit_price, one.discount) for one in latest_lines(member)]


def latest_lines(member):
    return QuoteVersion.objects.order_by("-number").first().ordered_lines()


def test_a_rep_makes_a_quote_from_the_leads_page_and_a_deal_is_open(catch, rep, browse, gate):
    lead = catch(rep)
    client = browse(rep)
    made = client.post(reverse("sales:quote-with", args=[lead.pk]))
    page = client.get(made["Location"]).content.decode()
    assert "Quote for <bdi>Ann Bell</bdi>" in page
    assert "Send the quote to <bdi>Ann Bell</bdi>?" in page
    assert "Sending sets it to" not in page, "there is no line yet"
    assert "£0.00 net" not in client.get(reverse("lead", args=[lead.pk])).content.decode()
    with gate(rep):
        assert Deal.objects.get().stage == "qualified"
        assert Quote.objects.get().name == ""


def test_what_was_sent_is_withdrawn_and_the_customers_page_says_so(sent, rep, other_rep, viewer, browse, client, gate):
    version = sent(rep)
    page, withdraw = (reverse(f"sales:quote{verb}", args=[version.quote_id]) for verb in ("", "-withdraw"))
    assert "Withdraw what was sent?" in browse(rep).get(page).content.decode()
    assert "Withdraw" not in browse(viewer).get(page).content.decode()
    assert browse(other_rep).post(withdraw).status_code == 403
    shown = browse(rep).post(withdraw, follow=True).content.decode()
    assert f"{version} is withdrawn." in shown
    assert "Withdrawn on" in shown
    assert browse(rep).post(withdraw).status_code == 409
    path = path_of(version)
    theirs = client.get(path).content.decode()
    assert "We withdrew this quote on" in theirs
    assert "Ask for a new quote" in theirs
    refused = client.post(path, {"signed": "Ann Bell", "agree": "1"})
    assert (refused.status_code, "This quote was withdrawn." in refused.content.decode()) == (409, True)
    for where in (reverse("lead", args=[version.quote.deal.lead_id]), reverse("sales:quotes") + "?is=over"):
        assert "withdrawn" in browse(rep).get(where).content.decode().lower()
    assert "Rita</bdi> withdrew Q-" in browse(rep).get(f"/leads/{version.quote.deal.lead_id}/").content.decode()
    with gate(rep) as at:
        version.refresh_from_db()
        assert not answers.expire(version, at=version.ends_at)
        (letter,) = Message.objects.filter(kind="quote")
        assert letter.state == "failed", "a letter that still waits doesn't go"
        assert quotes.change(version.quote, by=rep, at=at).number == 2


def test_of_several_open_deals_the_rep_chooses_which_the_quote_is_for(deal_with, rep, browse, gate):
    first = deal_with(rep, title="Roof")
    with gate(rep) as at:
        second = deals.open_deal(first.lead, by=rep, at=at, title="Battery", amount=2000_00, stage=DealStage.DEMO)
    client, page = browse(rep), reverse("lead", args=[first.lead_id])
    shown = client.get(page).content.decode()
    for deal in (first, second):
        assert f'formaction="{reverse("sales:quote-add", args=[deal.pk])}"' in shown
    assert "<bdi>Battery</bdi>, demo, £2,000.00" in shown
    asked = client.post(reverse("sales:quote-with", args=[first.lead_id]), follow=True).content.decode()
    assert "Ann Bell has several open deals. Choose the one that the quote is for." in asked
    with gate(rep):
        assert not Quote.objects.exists()
    client.post(reverse("sales:quote-add", args=[first.pk]))
    with gate(rep):
        assert Quote.objects.get().deal == first
    moved = client.post(reverse("sales:deal-move", args=[first.pk]), {"stage": "demo"}, follow=True).content.decode()
    assert "The deal “Roof” with Ann Bell is in Demo now." in moved


def test_lines_are_typed_reckoned_saved_and_sent(drafted, rep, browse, gate):
    version = drafted(rep, lines=[])
    client, write = browse(rep), reverse("sales:quote-write", args=[version.quote_id])
    drawn = client.post(write, typed(version, {}, do="text")).content.decode()
    assert "The deal has no amount yet. Sending sets it to £15,002.40." in drawn
    assert 'name="what-1"' in drawn
    assert lines(gate, rep) == [], "drawing again saves nothing"
    assert client.post(write, typed(version, {}, {"what": "", "price": ""}, do="save")).status_code == 302
    assert lines(gate, rep) == [("Panels", 1128_00, 5_000)]
    sheet = client.post(write, typed(version, {}, do="send"))
    assert sheet["Location"].endswith("?send=1#send")
    page = client.get(sheet["Location"]).content.decode()
    assert "Send the quote of £18,002.88 to" in page
    send = reverse("sales:quote-send", args=[version.quote_id])
    assert client.post(send, {"to": "nobody at all"}).status_code == 422
    sent = client.post(send, {"to": "ann.bell@bell.example", "remind": "soon"})
    shown = client.get(sent["Location"]).content.decode()
    kept = latest(gate, rep)
    assert (kept.state, kept.sent_to) == ("sent", "ann.bell@bell.example")
    assert url_of(kept) in shown
    with gate(rep):
        assert Task.objects.get().what == f"Call about {kept.quote.name}"
    assert client.post(write, typed(version, {})).status_code == 409
    assert client.post(send, {"to": ""}).status_code == 409


@pytest.mark.parametrize("mail", [True, False])
def test_where_no_mail_leaves_the_link_is_what_the_sheet_offers_first(mail, drafted, rep, browse, monkeypatch):
    monkeypatch.setattr("sales.negotiation.page.why_none", lambda workspace: "" if mail else "Mail is not tried yet")
    page = browse(rep).get(reverse("sales:quote", args=[drafted(rep).quote_id])).content.decode()
    sheet = page[page.index('id="send-t"') :]
    assert ("Mail is not tried yet. Copy the link" in sheet) is not mail
    first = sheet[sheet.index("btn btn-primary") :].split("</button>")[0]
    assert first.endswith("Send quote" if mail else "Send it myself, copy the link")
    assert sheet.count("btn btn-primary") == 1
    assert (sheet.index("Send quote<") < sheet.index("Send it myself")) is mail


def test_a_line_that_cannot_be_read_is_said_beside_it_and_nothing_is_saved(drafted, rep, browse, gate):
    version = drafted(rep, lines=[])
    wrong = {"quantity": "-1", "price": "1.005", "less": "101", "tax": "x"}
    answer = browse(rep).post(
        reverse("sales:quote-write", args=[version.quote_id]), typed(version, {}, wrong, {"what": ""}, do="save")
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    for said in (
        "Line 2, unit price: GBP has 2 digits", "Line 2, quantity: Write a quantity above 0",
        "Line 2, less: Write a percentage from 0 to 100", "Line 3, what it is: Say what it is",
    ):  # fmt: skip
        assert said in page
    assert 'value="-1"' in page
    assert lines(gate, rep) == []
    past = typed(version, {}, do="save", valid_until="2020-01-01")
    answer = browse(rep).post(reverse("sales:quote-write", args=[version.quote_id]), past)
    assert "This day has passed" in answer.content.decode()


def test_a_german_business_types_its_own_numbers_and_they_stay_what_they_were(drafted, rep, browse, gate):
    Workspace.objects.filter(pk=rep.workspace_id).update(country="DE")
    version = drafted(rep, lines=[])
    client, write = browse(rep), reverse("sales:quote-write", args=[version.quote_id])
    own = {"quantity": "1,1250", "price": "4.019,45", "less": "2,5", "tax": "8,875"}
    assert client.post(write, typed(version, own, do="save")).status_code == 302
    page = client.get(reverse("sales:quote", args=[version.quote_id])).content.decode()
    for shown in ('value="1.1250"', 'value="4019.45"', 'value="2.5"', 'value="8.875"'):
        assert shown in page
    again = {"quantity": "1.1250", "price": "4019.45", "less": "2.5", "tax": "8.875"}
    assert client.post(write, typed(version, again, do="save")).status_code == 302
    with gate(rep):
        (line,) = latest_lines(rep)
        assert (line.quantity, line.unit_price, line.discount, line.tax_rate) == (11_250, 4019_45, 2_500, 8_875)
    twofold = client.post(write, typed(version, {"quantity": "1,125"}, do="save")).content.decode()
    assert "“1,125” can be read in two ways. Write the quantity like 2,5." in twofold


def test_a_product_brings_its_price_and_a_line_can_go(drafted, owner, rep, browse, gate):
    with gate(owner) as at:
        product = pricelist.add(Product(name="Battery", tax_rate=20_000), {"GBP": 3950_00}, by=owner, at=at)
    version = drafted(rep, lines=[])
    client, write = browse(rep), reverse("sales:quote-write", args=[version.quote_id])
    drawn = client.post(write, typed(version, {}, do="product", **{"from-list": str(product.pk)})).content.decode()
    assert 'value="Battery"' in drawn
    assert 'value="3950.00"' in drawn
    drawn = client.post(write, typed(version, {}, {"what": "Second"}, do="remove-0")).content.decode()
    assert 'name="what-0" value="Second"' in drawn
    assert 'name="what-1"' not in drawn
    for nonsense in ("remove-٣", "remove-99999999999", "remove-", "product"):
        assert client.post(write, typed(version, {}, do=nonsense, **{"from-list": "x"})).status_code == 200


def test_a_change_makes_the_next_version_and_a_draft_can_be_thrown_away(sent, rep, browse, gate):
    version = sent(rep)
    client = browse(rep)
    client.post(reverse("sales:quote-change", args=[version.quote_id]))
    following = latest(gate, rep)
    assert (following.number, following.state) == (2, "draft")
    assert lines(gate, rep)[0] == ("Solar panels, 440 W", 128_00, 0)
    old = client.get(reverse("sales:quote", args=[version.quote_id]), {"version": 1}).content.decode()
    assert "Go on with version 2" in old
    client.post(reverse("sales:quote-discard", args=[version.quote_id]))
    assert latest(gate, rep).number == 1
    assert client.post(reverse("sales:quote-discard", args=[version.quote_id])).status_code == 409


def test_what_the_customer_asked_stands_on_the_quotes_page_and_on_the_next_versions_draft(sent, rep, browse, gate):
    version, other = sent(rep), sent(rep, "Bob Ray")
    with gate(rep) as at:
        for one, question in ((version, "Is a <b>charger</b> included?"), (other, "When do you begin?")):
            answers.ask(QuoteVersion.objects.whole().get(pk=one.pk), question=question, at=at)
    client, address = browse(rep), reverse("sales:quote", args=[version.quote_id])
    asked = "“<bdi>Is a &lt;b&gt;charger&lt;/b&gt; included?</bdi>”"
    page = client.get(address).content.decode()
    assert (asked in page, "about version 1" in page, "When do you begin?" in page) == (True, True, False)
    client.post(reverse("sales:quote-change", args=[version.quote_id]))
    page = client.get(address).content.decode()
    assert ("Send quote" in page, asked in page) == (True, True)


def test_a_new_version_moves_the_call_about_the_quote_and_makes_no_second_one(drafted, rep, browse, gate):
    version = drafted(rep)
    client, send = browse(rep), reverse("sales:quote-send", args=[version.quote_id])

    def calls():
        with gate(rep):
            found = list(Task.objects.open().filter(what=f"Call about {Quote.objects.get().name}"))
            return [(one.pk, rep.workspace.local(one.due_at).date()) for one in found]

    client.post(send, {"to": "ann@bell.example", "remind": "soon"})
    ((task, soon),) = calls()
    client.post(reverse("sales:quote-change", args=[version.quote_id]))
    assert "Next: call on" in client.post(send, {"to": "", "remind": "end"}, follow=True).content.decode()
    ((moved, end),) = calls()
    assert (moved, end > soon) == (task, True)
    client.post(reverse("sales:quote-change", args=[version.quote_id]))
    client.post(send, {"to": "", "remind": "end"})
    with gate(rep):
        assert Event.objects.filter(kind="next_step_moved").count() == 1, "to where it stands nothing is moved"
    assert calls() == [(task, end)]


def test_a_colleague_reads_the_quote_and_changes_nothing(sent, drafted, rep, other_rep, manager, browse, gate):
    version = sent(rep)
    draft = drafted(rep, "Bob Ray")
    client = browse(other_rep)
    for one in (version, draft):
        page = client.get(reverse("sales:quote", args=[one.quote_id])).content.decode()
        assert "Solar panels" in page
        assert "Send quote" not in page
        for name in ("write", "send", "change", "discard"):
            assert client.post(reverse(f"sales:quote-{name}", args=[one.quote_id])).status_code == 403
    assert client.get(reverse("sales:quote-pdf", args=[draft.quote_id])).status_code == 200
    assert "Send quote" in browse(manager).get(reverse("sales:quote", args=[draft.quote_id])).content.decode()


def test_the_list_shows_what_became_of_each_at_the_same_cost(sent, drafted, rep, owner, browse, gate):
    client, address = browse(rep), reverse("sales:quotes")

    def cost(what):
        client.get(address, {"is": what})
        with CaptureQueriesContext(connection) as asked:
            page = client.get(address, {"is": what})
        return len(asked), page.content.decode()

    made = [sent(rep), drafted(rep, "Bob Ray")]
    few, page = cost("open")
    assert ("Ann Bell" in page, "Bob Ray" in page) == (True, False)
    assert "Bob Ray" in cost("drafts")[1]
    made += [sent(rep, f"Cy Lane{place}") for place in range(9)]
    assert cost("open")[0] <= few
    with gate(rep) as at:
        answers.accept(QuoteVersion.objects.whole().get(pk=made[0].pk), signed="Ann Bell", at=at)
        QuoteVersion.objects.filter(pk=made[2].pk).update(ends_at=at - timedelta(seconds=1))
    assert "Ann Bell" in cost("accepted")[1]
    assert "Cy Lane0" in cost("over")[1]
    assert "Cy Lane0" not in cost("open")[1]
    assert "Ann Bell" not in browse(owner).get(address, {"of": "mine", "is": "accepted"}).content.decode()
    assert client.get(address, {"after": "rubbish"}).status_code == 400


def test_winning_asks_for_what_was_accepted_and_clears_the_desk(sent, rep, browse, gate, work):
    version = sent(rep)
    with gate(rep) as at:
        answers.accept(QuoteVersion.objects.whole().get(pk=version.pk), signed="Ann Bell", at=at)
        deal = Deal.objects.get()
    sheet = browse(rep).get(reverse("sales:deal-won", args=[deal.pk])).content.decode()
    assert 'value="5544.50"' in sheet
    assert f"As Ann Bell accepted it in {version.quote.name}" in sheet
    with gate(rep) as at:
        assert any("win the deal" in one.what for one in Task.objects.open())
        close.win(deal, by=rep, at=at, amount=5544_50)
    work()
    with gate(rep):
        assert not Task.objects.open().exists()


def test_what_somebody_asked_who_then_bought_still_waits_for_an_answer(sent, rep, gate, work):
    version = sent(rep)
    with gate(rep) as at:
        whole = QuoteVersion.objects.whole().get(pk=version.pk)
        answers.ask(whole, question="Can I have red?", at=at)
        answers.accept(whole, signed="Ann Bell", at=at)
        close.win(Deal.objects.get(), by=rep, at=at, amount=5544_50)
    work()
    with gate(rep):
        (left,) = Task.objects.open()
        assert left.what.endswith("Ann Bell asks: Can I have red?")


def test_a_loss_that_is_undone_brings_back_the_customers_question_and_not_what_was_ticked_off(sent, rep, gate, work):
    version = sent(rep)
    with gate(rep) as at:
        whole = QuoteVersion.objects.whole().get(pk=version.pk)
        answers.ask(whole, question="Do you fit in March?", at=at)
        answers.ask(whole, question="And the roof?", at=at)
        first, second = Task.objects.open().filter(what__contains="asks").order_by("id")
        deal = Deal.objects.get()
        close.lose(deal, reason=LostReason.objects.get(key="price"), by=rep, at=at)
        steps.finish(second, by=rep, at=at)
    work()
    with gate(rep) as at:
        assert not Task.objects.open().exists()
        close.undo(deal, by=rep, at=at)
    work()
    with gate(rep):
        again = set(Task.objects.open())
    assert first in again
    assert second not in again


def test_the_owners_home_names_quotes_about_to_run_out(drafted, rep, owner, browse, gate):
    with gate(rep) as at:
        near = owner.workspace.local(at).date() + timedelta(days=2)
    version = drafted(rep, valid_until=near)
    far = drafted(rep, "Bob Ray", valid_until=near + timedelta(days=30))
    home = reverse("home")
    assert "Quotes about to run out" not in browse(owner).get(home).content.decode()
    with gate(rep) as at:
        for one in (version, far):
            quotes.send(one, by=rep, at=at)
    page = browse(owner).get(home).content.decode()
    card = page[page.index("Quotes about to run out") :][:1500]
    assert ("Ann Bell" in card, "Bob Ray" in card, "2 days left" in card.replace("\xa0", " ")) == (True, False, True)


def test_the_price_list_is_kept_by_those_who_lead(owner, rep, browse, gate):
    client = browse(owner)
    product = {"name": "Battery", "description": "", "price-GBP": "3,950", "tax_rate": "20 %"}
    assert client.post(reverse("sales:product-add"), product | {"price-GBP": "0"}).status_code == 422
    empty = client.get(reverse("sales:product-add")).content.decode()
    assert ("VAT, %" in empty, 'name="tax_rate" value' in empty) == (True, False)
    forgotten = client.post(reverse("sales:product-add"), product | {"tax_rate": ""})
    assert (forgotten.status_code, "write 0 where there is none" in forgotten.content.decode()) == (422, True)
    for none in ("%", "a fifth", "101"):
        assert client.post(reverse("sales:product-add"), product | {"tax_rate": none}).status_code == 422
    assert client.post(reverse("sales:product-add"), product).status_code == 302
    assert "£3,950.00" in browse(rep).get(reverse("sales:products")).content.decode()
    with gate(owner):
        made = Product.objects.get()
    assert client.post(reverse("sales:product", args=[made.pk]), product | {"price-GBP": "4000"}).status_code == 302
    client.post(reverse("sales:product-archive", args=[made.pk]))
    client.get(reverse("sales:products"))  # the toasts are read
    assert "Battery" not in client.get(reverse("sales:products")).content.decode()
    archived = client.get(reverse("sales:products"), {"is": "archived"}).content.decode()
    assert "£4,000.00" in archived
