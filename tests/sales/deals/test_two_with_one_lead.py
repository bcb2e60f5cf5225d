"""Who opens a deal knows of the one that is open already."""

from __future__ import annotations

import re

from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from sales.close import actions as close
from sales.deals.models import Deal, LostReason


def text(answer):
    return " ".join(re.sub("<[^>]+>", "", answer.content.decode()).split())


def test_qualifying_says_that_a_deal_is_open_and_leads_there(rep, catch, browse, gate):
    lead = catch(rep)
    with gate(rep) as at:
        lead.move("working", at=at, holder=rep)
    typed = {"qualify": "1"} | {f"met-{key}": "met" for key in ("need", "budget", "authority", "timing")}
    answer = browse(rep).post(f"/sales/leads/{lead.pk}/qualify/", typed, follow=True)
    with gate(rep):
        deal = Deal.objects.get()
    assert "Ann Bell is qualified. A deal is open: Ann Bell." in text(answer)
    assert f'<a href="/sales/deals/{deal.pk}/"><bdi>Ann Bell</bdi></a>.</span>' in answer.content.decode()


def test_a_deal_that_nobody_names_is_called_by_what_they_want_and_unlike_their_others(rep, catch, browse, gate):
    lead = catch(rep)

    def wants(what):
        with gate(rep) as at:
            form = Capture(kind="form", email=lead.email, data={"form": "Contact us", "interest": what})
            receive(rep.workspace, [form], at=at)

    def opened():
        """By a quote, as by qualifying or a demo."""
        browse(rep).post(f"/sales/leads/{lead.pk}/quote/")
        with gate(rep) as at:
            deal = Deal.objects.open().get()
            close.win(deal, by=rep, at=at, amount=100)
            return deal.title

    wants("A roof")
    wants("Solar  panels")
    assert opened() == "Solar panels"
    assert opened() == "Ann Bell", "that wish has its deal"
    assert opened() == "Ann Bell (2)"
    wants("Solar panels")
    assert opened() == "Solar panels (2)"


def test_a_second_deal_is_opened_with_a_word_of_the_first(rep, deal_with, browse, gate):
    first = deal_with(rep, title="Roof <1>")
    client, form = browse(rep), f"/sales/leads/{first.lead_id}/deal/"
    assert "Open another deal" in text(client.get(f"/leads/{first.lead_id}/"))
    word = "Ann Bell has an open deal already: Roof &lt;1&gt;. This makes another one."
    assert word in text(client.get(form))
    assert f'<a href="/sales/deals/{first.pk}/">' in client.get(form).content.decode()
    assert word in text(client.post(form, {"title": ""}))
    assert client.post(form, {"title": "Battery"}).status_code == 302
    assert "Ann Bell has 2 open deals already:" in text(client.get(form))


def test_nothing_is_said_where_none_is_open(rep, catch, deal_with, browse, gate):
    lead = catch(rep, "Ben Bell")
    assert "already" not in text(browse(rep).get(f"/sales/leads/{lead.pk}/deal/"))
    assert "Open a deal" in text(browse(rep).get(f"/leads/{lead.pk}/"))
    lost = deal_with(rep)
    with gate(rep) as at:
        close.lose(lost, reason=LostReason.objects.first(), by=rep, at=at)
    assert "already" not in text(browse(rep).get(f"/sales/leads/{lost.lead_id}/deal/"))
