"""Every list of leads that shows their scores is filtered and ordered by them."""

import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.leads.actions import touch
from funnel.leads.models import Lead
from marketing.campaigns.models import Campaign
from tests.funnel.overview.people import came
from tests.funnel.overview.test_leads import MORE

LISTS = ("/sales/mine/", "/handoffs/", "campaign", "changed")
PEOPLE = ("Ada", "Ben", "Cleo", "Dot", "Eve")


@pytest.fixture
def lists(owner, rep, gate, browse, work, monkeypatch):
    """Five people, the later the busier, the last two without a company; each list of them, and two to a page."""
    for paged in ("sales.queue.mine", "marketing.campaigns.views", "funnel.overview.rules_change"):
        monkeypatch.setattr(f"{paged}.PAGE", 2)

    def opened(address):
        with gate(owner) as at:
            leads = came(rep, at, *[f"{name} Bell" for name in PEOPLE], channel="flyer", campaign="Spring")
            Lead.objects.filter(pk__in=[lead.pk for lead in leads[3:]]).update(company_name="", phone="")
            for number, lead in enumerate(leads):
                for _ in range(number + 1):
                    touch(lead, "page_view", at=at)
        work()
        with gate(owner) as at:
            if address == "/sales/mine/":
                handoff.open_for(leads, why={one.pk: "." for one in leads}, workspace=rep.workspace, at=at)
                for lead in leads:
                    handoff.accept(lead, by=rep, at=at)
            elif address == "/handoffs/":
                Lead.objects.filter(pk__in=[lead.pk for lead in leads]).update(waits_since=at)
            elif address == "campaign":
                return reverse("marketing:campaign", args=[Campaign.objects.get().pk])
        if address == "changed":
            page = browse(owner)
            page.post(reverse("rules-grid"), {f"{fit}{band}": "1" for fit in "ABCD" for band in range(1, 5)})
            page.post(reverse("rules-try"), {"again": ""})
            work()
            return reverse("rules-changed")
        return address

    return opened


def walked(client, address, query):
    """The names of a list, page by page."""
    seen, here = [], f"{address}{query}"
    for _ in range(5):
        answer = client.get(here)
        assert answer.status_code == 200
        text = answer.content.decode()
        seen += re.findall(r"<bdi>(\w+) Bell</bdi></a>", text)
        following = [one for one in MORE.findall(text) if "after=" in one]
        if not following:
            break
        here = html.unescape(following[0])
        here = here if here.startswith("/") else f"{address}{here}"
    return seen


@pytest.mark.parametrize("address", LISTS)
def test_a_list_is_ordered_and_filtered_by_scores_and_names_everybody_once(lists, rep, api, browse, address):
    address, client = lists(address), browse(rep)
    bands = {one["name"].split()[0]: one["band"] for one in api(rep).get("leads/").json()["results"]}
    assert len({band[0] for band in bands.values()}) > 1
    assert sorted(walked(client, address, "")) == sorted(PEOPLE)
    busiest = list(reversed(PEOPLE))
    assert walked(client, address, "?order=engagement") == busiest
    assert walked(client, address, "?order=fit") == sorted(busiest, key=lambda name: bands[name][0])
    best = bands["Ada"][0]
    only = [name for name in busiest if bands[name][0] == best]
    assert walked(client, address, f"?order=engagement&fit={best}") == only
    assert sorted(walked(client, address, f"?fit={best}")) == sorted(only)
    none = next(band for band in "ABCD" if band not in {one[0] for one in bands.values()})
    page = client.get(f"{address}?fit={none}&engagement=4").content.decode()
    assert f"has fit {none} and engagement 4." in page
    assert "Drop the filter" in page
    assert f"<option selected>{none}</option>" in page
    assert client.get(f"{address}?order=name").status_code == 400
    assert client.get(f"{address}?fit=E").status_code == 400


@pytest.mark.parametrize("address", LISTS)
def test_an_order_by_scores_takes_no_more_than_two_statements_more(lists, rep, browse, address):
    address, client = lists(address), browse(rep)

    def spent(query):
        client.get(address + query)
        with CaptureQueriesContext(connection) as asked:
            client.get(address + query)
        return len(asked)

    assert spent("?order=fit") <= spent("") + 2


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
        assert walked(client, "/leads/", f"?engagement={band}") == [name]
