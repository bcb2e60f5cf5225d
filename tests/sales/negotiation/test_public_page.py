"""What whoever was sent a quote can do with it, through the door."""

from __future__ import annotations

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from funnel.mail.models import Message
from funnel.outbox.models import Event
from sales.close import actions as close
from sales.deals.models import Deal, LostReason
from sales.negotiation import actions as quotes
from sales.negotiation.links import path_of
from sales.negotiation.models import Quote, QuoteVersion
from sales.negotiation.page import won_for
from sales.queue.desk import stamp
from sales.queue.models import Task

pytestmark = pytest.mark.django_db
YES = {"signed": "Ann Bell", "agree": "1"}


@pytest.fixture
def version(sent, rep):
    return sent(rep)


@pytest.fixture
def visit():
    return Client()


def now(version, gate, member):
    with gate(member):
        return QuoteVersion.objects.whole().get(pk=version.pk)


def kinds(gate, member):
    with gate(member):
        return [one.kind for one in Event.objects.filter(kind__startswith="quote_").order_by("id")]


def open_steps(gate, member):
    with gate(member):
        return [one.what for one in Task.objects.on_desk_of(member)]


def after(version, gate, member, **ago):
    """Let the version have ended a while ago."""
    with gate(member) as at:
        QuoteVersion.objects.filter(pk=version.pk).update(ends_at=at - timedelta(**ago))


def test_a_look_changes_nothing_and_leaves_nothing_behind(version, rep, visit, gate):
    with gate(rep) as at:
        before = stamp(rep, at), list(QuoteVersion.objects.values()), Event.objects.count()
    for address in (path_of(version), f"{path_of(version)}pdf/"):
        for ask in (visit.get, visit.head):
            answer = ask(address)
            assert answer.status_code == 200
            assert not answer.cookies
            assert answer["X-Robots-Tag"].startswith("noindex")
            assert answer["Referrer-Policy"] == "no-referrer"
            assert "no-store" in answer["Cache-Control"]
    # After a refused answer these stand in the address bar: whoever opens them again is at the quote.
    for address in ("ask/", "decline/"):
        for ask in (visit.get, visit.head):
            answer = ask(path_of(version) + address)
            assert (answer.status_code, answer["Location"]) == (303, path_of(version))
            assert answer["Referrer-Policy"] == "no-referrer"
        assert visit.put(path_of(version) + address).status_code == 405
    with gate(rep):
        assert (stamp(rep, at), list(QuoteVersion.objects.values()), Event.objects.count()) == before
    page = visit.get(path_of(version)).content.decode()
    # What is to be paid when is in the terms; the page knows nothing of it.
    assert "due today" not in page
    for words in ("Solar panels, 440 W", "£1,792.00", "£6,295.00", "Accept for", "First"):
        assert words in page


def test_accepting_by_name_puts_the_win_on_the_reps_desk(version, rep, visit, gate, mail_works):
    with gate(rep) as at:
        before = stamp(rep, at)
    answer = visit.post(path_of(version), YES)
    assert (answer.status_code, answer["Location"]) == (303, f"{path_of(version)}#main")
    kept = now(version, gate, rep)
    assert (kept.state, kept.signed) == ("accepted", "Ann Bell")
    assert kinds(gate, rep) == ["quote_sent", "quote_accepted"]
    assert any("win the deal" in step for step in open_steps(gate, rep))
    with gate(rep):
        assert stamp(rep, at) != before
        deal = Deal.objects.get()
        assert (deal.stage, deal.amount) == ("negotiation", kept.net)
        offered = won_for(deal)
        assert offered is not None
        assert (offered["amount"], offered["currency"]) == (kept.net, "GBP")
        told = {one.kind: one for one in Message.objects.all()}
        assert told["quote-told"].to_email == rep.email
        assert told["quote-accepted"].to_email == "ann.bell@bell.example"
    assert "on its way" not in visit.get(path_of(version)).content.decode(), "no letter is promised that doesn't leave"
    mail_works(rep)
    page = visit.get(path_of(version)).content.decode()
    assert "Accepted by <bdi>Ann Bell</bdi>" in page
    assert "on its way to a…@bell.example" in page
    assert "ann.bell@bell.example" not in page


def test_what_is_missing_is_said_and_what_was_typed_stays(version, rep, visit, gate):
    answer = visit.post(path_of(version), {"signed": "Ann Bell"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Tick this to accept." in page
    assert 'value="Ann Bell"' in page
    assert visit.post(path_of(version), {"signed": " \x00", "agree": "1"}).status_code == 422
    assert visit.post(path_of(version), {"signed": "Ann Bell", "agree": "2"}).status_code == 422
    assert now(version, gate, rep).state == "sent"


@pytest.mark.parametrize(
    ("where", "field", "long", "also"),
    [
        ("", "signed", "Ann Bell " * 23, {"agree": "1"}),
        ("ask/", "q", "And when? " * 201, {}),
        ("decline/", "more", "Too much. " * 201, {"reason": "price"}),
    ],
)
def test_what_is_too_long_is_refused_whole_and_never_cut(where, field, long, also, version, rep, visit, gate):
    before = kinds(gate, rep)
    answer = visit.post(f"{path_of(version)}{where}", {field: long, **also})
    page = answer.content.decode()
    limit = 200 if field == "signed" else 2000
    assert answer.status_code == 422
    assert f": write at most {limit:,} characters; this has {len(long.strip()):,}." in page
    assert long.strip() in page
    assert ('value="price" checked' in page) == bool(also.get("reason"))
    assert kinds(gate, rep) == before
    assert now(version, gate, rep).state == "sent"


def test_as_many_signs_as_the_browser_lets_through_are_taken_on_however_many_lines(version, rep, visit, gate):
    answer = visit.post(f"{path_of(version)}ask/", {"q": "Why?\r\n" * 399 + "Why??"})
    assert answer.status_code == 303


def test_declining_needs_a_reason_and_keeps_the_words(version, rep, visit, gate):
    assert visit.post(f"{path_of(version)}decline/", {"more": "Hm"}).status_code == 422
    assert now(version, gate, rep).state == "sent"
    answer = visit.post(f"{path_of(version)}decline/", {"reason": "price", "more": "<b>Too much</b>"})
    assert answer.status_code == 303
    kept = now(version, gate, rep)
    assert (kept.state, kept.reason, kept.note) == ("declined", "price", "<b>Too much</b>")
    assert any("declined (the price)" in step for step in open_steps(gate, rep))
    assert "You declined this quote" in visit.get(path_of(version)).content.decode()


def test_an_answer_ends_the_call_about_the_quote_and_a_new_version_what_a_no_asked_for(
    drafted, rep, browse, visit, gate
):
    version = drafted(rep)
    client, send = browse(rep), reverse("sales:quote-send", args=[version.quote_id])
    client.post(send, {"to": "", "remind": "soon"})
    with gate(rep):
        first = QuoteVersion.objects.whole().get()
    name = first.quote.name
    assert f"Call about {name}" in open_steps(gate, rep)
    visit.post(f"{path_of(first)}decline/", {"reason": "price"})
    assert open_steps(gate, rep) == [f"{name} declined (the price): call, or give the deal up"]
    client.post(reverse("sales:quote-change", args=[version.quote_id]))
    client.post(send, {"to": "", "remind": "soon"})
    assert open_steps(gate, rep) == [f"Call about {name}"]
    with gate(rep):
        second = QuoteVersion.objects.whole().get(number=2)
    visit.post(path_of(second), YES | {"agree": "2"})
    (step,) = open_steps(gate, rep)
    assert "win the deal" in step


def test_a_question_reaches_the_rep_and_leaves_the_quote_open(version, rep, visit, gate):
    assert visit.post(f"{path_of(version)}ask/", {"q": " "}).status_code == 422
    answer = visit.post(f"{path_of(version)}ask/", {"q": "Is the charger included? {{7*7}}"})
    assert "Your question is with Rita" in visit.get(answer["Location"]).content.decode()
    assert any("Is the charger included? {{7*7}}" in step for step in open_steps(gate, rep))
    assert now(version, gate, rep).state == "sent"


def again(version, visit):
    """The status of each way to answer."""
    return [
        visit.post(path_of(version), YES).status_code,
        visit.post(f"{path_of(version)}decline/", {"reason": "price"}).status_code,
    ]


def test_whatever_ended_it_nothing_ends_it_again(version, sent, rep, visit, gate):
    visit.post(path_of(version), YES)
    assert again(version, visit) == [409, 409]
    declined = sent(rep, "Bob Ray")
    visit.post(f"{path_of(declined)}decline/", {"reason": "time"})
    assert again(declined, visit) == [409, 409]
    assert [now(one, gate, rep).state for one in (version, declined)] == ["accepted", "declined"]
    assert kinds(gate, rep).count("quote_accepted") == kinds(gate, rep).count("quote_declined") == 1


def test_after_its_last_day_the_clock_refuses_before_the_worker_notes_it(version, rep, visit, gate, work):
    after(version, gate, rep, seconds=1)
    answer = visit.post(path_of(version), YES)
    assert answer.status_code == 409
    assert "This quote has ended." in answer.content.decode()
    assert now(version, gate, rep).state == "sent"
    assert "This quote ended on" in visit.get(path_of(version)).content.decode()
    with gate(rep):
        Event.objects.get(kind="quote_sent").effects.filter(handler="quote_ends").update(due_at=timezone.now())
    work()
    work()
    assert now(version, gate, rep).state == "expired"
    assert kinds(gate, rep).count("quote_ended") == 1
    assert any("ended without an answer" in step for step in open_steps(gate, rep))
    asked = visit.post(f"{path_of(version)}ask/", {"q": ""})
    assert "We will be in touch" in visit.get(asked["Location"]).content.decode()
    assert any("asks for a new quote" in step for step in open_steps(gate, rep))


def test_it_ends_by_the_worker_at_the_end_of_its_last_day_and_not_before(version, rep, gate, work):
    work(version.ends_at - timedelta(seconds=1))
    assert now(version, gate, rep).state == "sent"
    work(version.ends_at)
    assert now(version, gate, rep).state == "expired"


def test_a_new_version_replaces_the_old_one_whose_link_says_so(version, rep, visit, gate):
    with gate(rep) as at:
        following = quotes.change(version.quote, by=rep, at=at)
        assert following.number == 2
        assert quotes.change(version.quote, by=rep, at=at).pk == following.pk
    assert "Version 2 has replaced" not in visit.get(path_of(version)).content.decode()
    with gate(rep) as at:
        lines = [quotes.LineDraft("Solar panels, 440 W", 12_0000, 128_00)]
        quotes.revise(
            following, lines, by=rep, at=at, title="Smaller", words="", terms="", valid_until=following.valid_until
        )
        quotes.send(following, by=rep, at=at)
    old = visit.get(path_of(version)).content.decode()
    new_path = re.search(r'href="(/q/[a-z2-7]+/)"', old)[1]
    assert "Version 2 has replaced this one" in old
    assert new_path != path_of(version)
    assert again(version, visit) == [409, 409]
    new = visit.get(new_path).content.decode()
    assert "What changed since version 1" in new
    assert "<s>£1,792.00</s>" in new
    assert "£1,536.00" in new
    assert "Battery, 9.5 kWh" in new
    assert visit.post(new_path, YES | {"agree": "2"}).status_code == 303
    with gate(rep) as at, pytest.raises(quotes.AlreadyDecided):
        quotes.change(version.quote, by=rep, at=at)


def test_what_was_sent_stays_as_it_was_sent(version, rep, owner, visit, gate):
    before = visit.get(path_of(version)).content
    with gate(rep) as at:
        owner.workspace.name, owner.workspace.address = "Another", "Elsewhere"
        owner.workspace.save()
        Lead.objects.update(name="Somebody Else")
        Deal.objects.update(title="Something else")
        for verb in (
            lambda: quotes.send(version, by=rep, at=at),
            lambda: quotes.discard(version, by=rep),
            lambda: quotes.revise(version, [], by=rep, at=at, title="", words="", terms="", valid_until=at.date()),
        ):
            with pytest.raises(quotes.AlreadySent):
                verb()
    assert visit.get(path_of(version)).content == before


def test_a_lost_deals_quote_is_not_open_until_the_loss_is_undone(version, rep, visit, browse, gate, api, work):
    with gate(rep) as at:
        lost = close.lose(Deal.objects.get(), reason=LostReason.objects.get(key="price"), by=rep, at=at)
    page = visit.get(path_of(version)).content.decode()
    assert "This quote is no longer open" in page
    assert f'href="mailto:{rep.email}"' in page
    assert "Accept for" not in page
    refused = visit.post(path_of(version), YES)
    assert (refused.status_code, "This quote is no longer open." in refused.content.decode()) == (409, True)
    assert again(version, visit) == [409, 409]
    asked = visit.post(f"{path_of(version)}ask/", {"q": ""})
    assert "We will be in touch" in visit.get(asked["Location"]).content.decode()
    work()
    with gate(rep):
        offer = Handoff.objects.open().get()
        assert (offer.offered_to, "asks for a new quote" in str(offer.card)) == (rep, True)
    assert "not open while the deal is lost" in browse(rep).get(f"/sales/quotes/{version.quote_id}/").content.decode()
    assert "not open: the deal is lost" in browse(rep).get(f"/sales/deals/{lost.pk}/").content.decode()
    assert api(rep).get("/api/v1/quotes/?state=expired").json()["results"][0]["state"] == "expired"
    assert api(rep).get("/api/v1/quotes/?state=sent").json()["results"] == []
    assert kinds(gate, rep) == ["quote_sent", "quote_asked"]
    with gate(rep) as at:
        close.undo(lost, by=rep, at=at)
    assert visit.post(path_of(version), YES).status_code == 303
    assert any("win the deal" in step for step in open_steps(gate, rep))


def test_a_guessed_or_shortened_address_is_404_and_soon_429(version, visit):
    for token in (path_of(version)[3:-2], "x", "a" * 32, "1" * 500):
        assert visit.get(f"/q/{token}/").status_code == 404
    statuses = {visit.get(f"/q/{number:032}/").status_code for number in range(100)}
    assert statuses == {404, 429}
    answer = visit.get(path_of(version))
    assert (answer.status_code, int(answer["Retry-After"]) > 0) == (429, True)


def test_no_secret_of_the_link_is_kept_anywhere(version, rep, gate, visit, work):
    token = path_of(version)[3:-1]
    visit.post(path_of(version), YES)
    work()
    from django.core import serializers

    from funnel.workspaces.walls import tenant_models

    with gate(rep):
        for model in tenant_models():
            assert token not in serializers.serialize("json", model.objects.all()), model


def test_a_log_in_of_another_business_is_nobody_here(version, outsider, browse):
    page = browse(outsider).get(path_of(version)).content.decode()
    assert "Accept for" in page
    assert outsider.name not in page
    assert reverse("account_logout") not in page


def test_whoever_has_the_deal_is_told_even_where_the_lead_is_with_somebody_else(sent, rep, other_rep, visit, gate):
    version = sent(rep)
    with gate(rep):
        Lead.objects.update(holder=other_rep)
    visit.post(path_of(version), YES)
    assert any("win the deal" in step for step in open_steps(gate, rep))
    assert not open_steps(gate, other_rep)


def test_the_facts_hold_and_tell_what_was_changed_behind_their_back(version, rep, gate, visit):
    visit.post(path_of(version), YES)
    call_command("check_facts", stdout=StringIO())
    with gate(rep):
        QuoteVersion.objects.update(document={**version.document, "total": "1.00"}, total=100)
        Quote.objects.update(number=2)
    told = StringIO()
    with pytest.raises((SystemExit, CommandError)):
        call_command("check_facts", stdout=told)
    for fact in ("quotes add up", "quotes stay as sent", "quote numbers"):
        assert fact in told.getvalue()


def test_whoever_works_here_reads_that_it_is_the_customers_page(version, rep, viewer, outsider, browse, visit):
    page, said = path_of(version), "You are logged in at"
    for member in (rep, viewer):
        assert said in browse(member).get(page).content.decode()
    assert said not in visit.get(page).content.decode()
    assert said not in browse(outsider).get(page).content.decode()
