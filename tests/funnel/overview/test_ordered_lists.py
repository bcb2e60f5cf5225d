"""Every list of leads that shows their scores is filtered and ordered by them."""

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff import questions
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.leads.actions import touch
from funnel.leads.models import Lead
from funnel.workspaces.models import Member
from marketing.campaigns.models import Campaign
from marketing.nurture import actions as nurture
from marketing.nurture.models import Step, Stop
from sales.close import actions as close
from sales.deals import actions as deals
from tests.conftest import make_member
from tests.funnel.overview.people import came
from tests.funnel.overview.test_leads import MORE

# On the page of handoffs: who waits to be taken, for a go, isn't spoken to, is with nobody active, or was given back.
HANDOFFS = ("waits", "go", "silent", "held", "returned")
NURTURE = {"nurture": "", "nurture-ended": "ended", "nurture-back": "back"}
QUESTIONS = {"questions": "", "questions-answered": "answered"}
LISTS = ("/sales/mine/", "/sales/customers/", "campaign", "changed", "given-back", *HANDOFFS, *NURTURE, *QUESTIONS)
PEOPLE = ("Ada", "Ben", "Cleo", "Dot", "Eve")


@pytest.fixture
def lists(owner, rep, gate, browse, work, monkeypatch):
    """Five people, the later the busier, the last two without a company; each list of them, and two to a page."""
    for paged in ("sales.queue.mine", "marketing.campaigns.views", "funnel.overview.rules_change"):
        monkeypatch.setattr(f"{paged}.PAGE", 2)
    for paged in ("marketing.nurture.views", "marketing.reports.given_back", "marketing.questions.views"):
        monkeypatch.setattr(f"{paged}.PAGE", 2)
    monkeypatch.setattr("sales.customers.page.PAGE", 2)
    monkeypatch.setattr("funnel.overview.handoffs.GIVEN", 2)

    def opened(address):
        with gate(owner) as at:
            values = {"channel": "flyer", "campaign": "Spring", "consents": {"email": "Write to me"}}
            leads = came(rep, at, *[f"{name} Bell" for name in PEOPLE], **values)
            Lead.objects.filter(pk__in=[lead.pk for lead in leads[3:]]).update(company_name="", phone="")
            for number, lead in enumerate(leads):
                for _ in range(number + 1):
                    touch(lead, "page_view", at=at)
        work()
        if address in ("waits", "silent", "held", "returned", "given-back", "/sales/mine/", *QUESTIONS):
            with gate(owner) as at:
                handoff.open_for(leads, why={one.pk: "." for one in leads}, workspace=rep.workspace, at=at)
        if address == "waits":
            monkeypatch.setattr("funnel.overview.handoffs.WAITING", 2)
        elif address == "go":
            with gate(owner) as at:
                Lead.objects.filter(pk__in=[lead.pk for lead in leads]).update(waits_since=at)
        elif address in ("returned", "given-back"):
            with gate(owner) as at:
                for lead in leads:
                    reason = GiveBackReason.objects.get(key="no-answer")
                    handoff.give_back(lead, reason=reason, by=rep, at=at)
        elif address in ("silent", "held", "/sales/mine/"):
            gone = make_member(rep.workspace, "rep", "Gone Rep")
            with gate(owner) as at:
                for lead in leads:
                    handoff.accept(lead, by=owner, to=gone if address == "held" else rep, at=at)
                if address == "silent":
                    Handoff.objects.update(contact_due_at=at - timedelta(days=1))
                Member.objects.filter(pk=gone.pk).update(active=False)
        elif address == "/sales/customers/":
            with gate(owner) as at:
                for lead in leads:
                    close.win(deals.open_deal(lead, by=rep, at=at, title="Roof", amount=100), by=rep, at=at)
        elif address in QUESTIONS:
            with gate(owner) as at:
                for lead in leads:
                    one = questions.ask(lead, "How big is the roof?", by=owner, at=at)
                    if address == "questions-answered":
                        questions.answer(one, "Forty square metres", by=owner, at=at)
            return f"{reverse('marketing:questions')}?is={QUESTIONS[address]}"
        elif address in NURTURE:
            with gate(owner) as at:
                sequence = nurture.sequence_of(owner.workspace, at=at)
                nurture.keep_step(Step(workspace=owner.workspace, sequence=sequence, days=3, subject="a", text="b"))
                nurture.set_up(sequence, is_on=True, sender=None)
                for lead in leads:
                    one = nurture.enroll(Lead.objects.get(pk=lead.pk), at=at)
                    if address == "nurture-ended":
                        nurture.stop(one, Stop.HAND, at=at, by=owner)
            if address == "nurture-back":
                with gate(owner) as at:
                    handoff.open_for(leads, why={one.pk: "." for one in leads}, workspace=rep.workspace, at=at)
                work()
            return f"{reverse('marketing:nurture')}?is={NURTURE[address]}"
        elif address == "changed":
            page = browse(owner)
            page.post(reverse("rules-grid"), {f"{fit}{band}": "1" for fit in "ABCD" for band in range(1, 5)})
            page.post(reverse("rules-try"), {"again": ""})
            work()
            return reverse("rules-changed")
        elif address == "campaign":
            with gate(owner):
                return reverse("marketing:campaign", args=[Campaign.objects.get().pk])
        if address in HANDOFFS:
            return "/handoffs/"
        return reverse("marketing:given-back") if address == "given-back" else address

    return opened


def asked(address, query):
    """The address of a list with more asked of it."""
    return f"{address}&{query}" if "?" in address else f"{address}?{query}"


def walked(client, address, query):
    """The names of a list, page by page."""
    seen, here = [], asked(address, query)
    for _ in range(5):
        answer = client.get(here)
        assert answer.status_code == 200
        # Above the list of who gets the nurture mails one of them is shown as a lead reads it.
        text = answer.content.decode().rpartition('id="who"')[2]
        seen += re.findall(r"<bdi>(\w+) Bell</bdi></a>", text)
        following = [one for one in MORE.findall(text) if "after=" in one or "given=" in one]
        if not following:
            break
        here = html.unescape(following[0]).partition("#")[0]
        here = here if here.startswith("/") else f"{address.partition('?')[0]}{here}"
    return seen


@pytest.mark.parametrize("address", LISTS)
def test_a_list_is_ordered_and_filtered_by_scores_and_names_everybody_once(lists, owner, rep, api, browse, address):
    kind, client = address, browse(owner if address == "held" else rep)
    address = lists(address)
    bands = {one["name"].split()[0]: one["band"] for one in api(rep).get("leads/").json()["results"]}
    assert len({band[0] for band in bands.values()}) > 1
    assert sorted(walked(client, address, "")) == sorted(PEOPLE)
    busiest = list(reversed(PEOPLE))
    assert walked(client, address, "order=engagement") == busiest
    assert walked(client, address, "order=fit") == sorted(busiest, key=lambda name: bands[name][0])
    best = bands["Ada"][0]
    only = [name for name in busiest if bands[name][0] == best]
    assert walked(client, address, f"order=engagement&fit={best}") == only
    assert sorted(walked(client, address, f"fit={best}")) == sorted(only)
    none = next(band for band in "ABCD" if band not in {one[0] for one in bands.values()})
    page = client.get(asked(address, f"fit={none}&engagement=4")).content.decode()
    assert not walked(client, address, f"fit={none}&engagement=4")
    if kind != "held":
        assert f"has fit {none} and engagement 4." in page
        assert "Drop the filter" in page
    assert f"<option selected>{none}</option>" in page
    assert page.count('id="order"') == 1
    assert client.get(asked(address, "order=name")).status_code == 400
    assert client.get(asked(address, "fit=E")).status_code == 400


@pytest.mark.parametrize("address", LISTS)
def test_an_order_by_scores_takes_no_more_than_two_statements_more(lists, rep, browse, address):
    within, client = 21 if address == "campaign" else 15, browse(rep)
    address = lists(address)

    def spent(query):
        client.get(asked(address, query))
        with CaptureQueriesContext(connection) as statements:
            client.get(asked(address, query))
        return len(statements)

    assert spent("order=fit") <= spent("") + 2
    assert spent("order=engagement&fit=C") <= within


def test_who_was_given_back_twice_stands_there_twice_together(lists, owner, rep, gate, browse):
    """Also where a page ends between the two."""
    address, client = lists("given-back"), browse(rep)
    with gate(owner) as at:
        busiest = Lead.objects.filter(name="Eve Bell")
        handoff.open_for(list(busiest), why={one.pk: "." for one in busiest}, workspace=rep.workspace, at=at)
        reason = GiveBackReason.objects.get(key="no-budget")
        handoff.give_back(busiest.get(), reason=reason, by=rep, at=at)
        handoff.open_for(list(busiest), why={one.pk: "." for one in busiest}, workspace=rep.workspace, at=at)
        handoff.give_back(busiest.get(), reason=reason, by=rep, at=at)
    for page in (address, "/handoffs/"):
        assert walked(client, page, "order=engagement") == ["Eve", "Eve", *reversed(PEOPLE)]


def test_a_filter_stays_with_the_other_choices_of_the_page(lists, rep, browse):
    client = browse(rep)
    address = lists("given-back")
    page = client.get(asked(address, "order=fit&engagement=1&period=all")).content.decode()
    chosen = [one for one in re.findall(r'href="(\?[^"]+)"', page) if "reason=" in one or "channel=" in one]
    assert len(chosen) == 2
    assert all("order=fit" in one and "band=1" in one and "period=all" in one for one in chosen)
    page = client.get(asked(reverse("marketing:nurture"), "is=ended&order=fit&fit=A")).content.decode()
    assert '<input type="hidden" name="is" value="ended">' in page
    assert '<a href="?order=fit&amp;band=A&amp;is=back#who">' in page


def test_the_api_orders_by_scores_and_goes_on_where_a_page_ended(lists, rep, api):
    lists("")
    keyed = api(rep)

    def told(query):
        seen, path = [], f"leads/?page_size=2&{query}"
        while path:
            page = keyed.get(path.removeprefix("http://testserver")).json()
            seen += [one["name"].split()[0] for one in page["results"]]
            path = page["next"]
        return seen

    busiest = list(reversed(PEOPLE))
    bands = {one["name"].split()[0]: one["band"] for one in keyed.get("leads/").json()["results"]}
    assert told("order=engagement") == busiest
    assert told("order=fit") == sorted(busiest, key=lambda name: bands[name][0])
    only = [name for name in busiest if bands[name][0] == bands["Ada"][0]]
    assert told(f"order=engagement&band={bands['Ada'][0]}&q=bell") == only
    assert told("order=newest") == told("")


def test_the_api_names_an_order_or_a_cursor_that_is_not_ours(lists, rep, api):
    lists("")
    keyed = api(rep)
    answer = keyed.get("leads/?order=name")
    assert (answer.status_code, answer.json()["errors"]) == (400, {"order": "Send one of: newest, engagement, fit."})
    following = keyed.get("leads/?order=fit&page_size=2").json()["next"].partition("cursor=")[2].partition("&")[0]
    for query in ("order=fit&cursor=x", "order=fit&cursor=", f"order=engagement&cursor={following}"):
        answer = keyed.get(f"leads/?{query}")
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["cursor"])


def test_each_band_holds_its_own_and_nobody_else(rep, gate, api, browse, work):
    """Engagement 1 to 4: 0, 20, 35 and 55 points, all of one fit."""
    acts = ("meeting", "call", "visit", "promo_event")
    with gate(rep) as at:
        for lead, many in zip(
            came(rep, at, "Ada Bell", "Ben Bell", "Cleo Bell", "Dot Bell"), (0, 1, 2, 4), strict=True
        ):
            for kind in acts[:many]:
                touch(lead, kind, at=at)
    work()
    keyed, client = api(rep), browse(rep)
    fit = keyed.get("leads/").json()["results"][0]["band"][0]
    for band, name in enumerate(("Ada", "Ben", "Cleo", "Dot"), 1):
        for asked in (f"band={band}", f"band={fit}{band}", f"order=fit&band={band}"):
            assert [one["name"] for one in keyed.get(f"leads/?{asked}").json()["results"]] == [f"{name} Bell"]
        assert walked(client, "/leads/", f"engagement={band}") == [name]
