"""The list of all leads through the door."""

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.leads.actions import touch
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.overview.paging import PAGE
from funnel.templatetags.words import when
from funnel.workspaces.models import Member
from tests.funnel.overview.people import came

NAME = re.compile(r'<th scope="row"><a href="/leads/[^"]+/"><bdi>([^<]+)</bdi>')
MORE = re.compile(r'hx-get="([^"]+)"')


def names(answer):
    assert answer.status_code == 200
    return [html.unescape(name) for name in NAME.findall(answer.content.decode())]


def test_the_newest_stand_first(rep, viewer, gate, browse):
    with gate(rep) as at:
        came(rep, at, "Ann Bell", "Bob Cray")
    assert names(browse(viewer).get("/leads/")) == ["Bob Cray", "Ann Bell"]


@pytest.mark.parametrize("words", ["ann", "BELL ltd", "ann@bell", "01632 960000", "+44 1632 960000", "bell ann"])
def test_somebody_is_found_by_any_part(rep, gate, browse, words):
    with gate(rep) as at:
        came(rep, at, "Ann Bell", "Bob Cray")
    assert names(browse(rep).get("/leads/", {"q": words})) == ["Ann Bell"]


@pytest.mark.parametrize("words", ["zzz", "%", "_", "a\x00zz", "\ud800".encode("utf-8", "surrogatepass"), "'; --"])
def test_what_nobody_is_called_gives_a_sentence(rep, gate, browse, words):
    with gate(rep) as at:
        came(rep, at, "Ann Bell")
    answer = browse(rep).get("/leads/", {"q": words})
    assert answer.status_code == 200
    assert "Nobody is called" in answer.content.decode()


@pytest.mark.parametrize("order", ["newest", "engagement", "fit", "newest&band=A", "fit&band=A", "engagement&fit=A"])
def test_pages_show_everybody_exactly_once(rep, gate, browse, work, order):
    with gate(rep) as at:
        leads = came(rep, at, *[f"Ann{number} Bell" for number in range(PAGE * 2 + 3)], channel="flyer")
        Lead.objects.filter(pk__in=[lead.pk for lead in leads[:70]]).update(received_at=at)
        for lead in leads[::7]:
            touch(lead, "page_view", at=at)
    work()
    client, address, seen = browse(rep), f"/leads/?order={order}", []
    for _ in range(5):
        answer = client.get(address, headers={"HX-Request": "true"})
        seen += names(answer)
        following = MORE.search(answer.content.decode())
        if not following:
            break
        address = html.unescape(following[1])
    assert len(seen) == len(set(seen)) == PAGE * 2 + 3


def test_by_engagement_the_busiest_stands_first(rep, gate, browse, work):
    with gate(rep) as at:
        quiet, busy, _ = came(rep, at, "Quiet One", "Busy Two", "Still Three")
        touch(busy, "visit", at=at)
        touch(quiet, "page_view", at=at)
    work()
    assert names(browse(rep).get("/leads/?order=engagement"))[:2] == ["Busy Two", "Quiet One"]


def test_a_band_shows_who_stands_in_it_and_fit_comes_before_engagement(rep, gate, browse, api, work):
    with gate(rep) as at:
        _, bob, cid = came(rep, at, "Ann Bell", "Bob Cray", "Cid Dorn", channel="flyer")
        Lead.objects.filter(pk__in=[bob.pk, cid.pk]).update(company_name="", phone="")
        for lead in (bob, bob, cid):
            touch(lead, "call", at=at)
        for lead in (bob, cid):
            touch(lead, "visit", at=at)
    work()
    client = browse(rep)
    grades = {
        one["name"]: one["band"] for one in api(rep).get("leads/").json()["results"]
    }  # fmt: skip
    assert len({band[0] for band in grades.values()}) == 2
    for name, band in grades.items():
        assert name in names(client.get(f"/leads/?band={band}"))
        assert set(names(client.get(f"/leads/?fit={band[0]}&engagement={band[1]}"))) == {
            one for one, other in grades.items() if other == band
        }
        assert {one["name"] for one in api(rep).get(f"leads/?band={band[0]}").json()["results"]} == {
            one for one, other in grades.items() if other[0] == band[0]
        }
    best = sorted(grades, key=lambda name: grades[name][0])
    assert names(client.get("/leads/?order=fit"))[0] == best[0]
    assert names(client.get("/leads/?order=fit"))[1:] == ["Bob Cray", "Cid Dorn"], "the busier one first"
    assert client.get("/leads/?fit=E").status_code == 400
    assert api(rep).get("leads/?band=E9").status_code == 400


def test_each_filter_shows_its_own(rep, other_rep, owner, gate, browse, work):
    with gate(rep) as at:
        taken, waiting, late, back, bad, _ = came(rep, at, "Taken A", "Waiting B", "Late C", "Back D", "Bad E", "New F")
        handoff.open_for(
            [taken, waiting, late], why={one.pk: "." for one in (taken, waiting, late)}, workspace=rep.workspace, at=at
        )
        Handoff.objects.filter(lead=late).update(due_at=at - timedelta(hours=1))
        handoff.accept(taken, by=owner, to=rep, at=at)
        Lead.objects.filter(pk=back.pk).update(waits_since=at)
        handoff.disqualify(bad, by=owner, at=at)
    client = browse(rep)
    assert names(client.get("/leads/?is=mine")) == ["Taken A"]
    assert names(browse(other_rep).get("/leads/?is=mine")) == []
    assert names(client.get("/leads/?is=ready")) == ["Late C", "Waiting B"]
    assert names(client.get("/leads/?is=late")) == ["Late C"]
    assert names(client.get("/leads/?is=go")) == ["Back D"]
    assert names(client.get("/leads/?is=sales")) == ["Taken A"]
    assert names(client.get("/leads/?is=marketing")) == ["New F", "Back D"]
    assert names(client.get("/leads/?is=ended")) == ["Bad E"]
    assert names(client.get("/leads/?is=back")) == []
    with gate(rep) as at:
        touch(Lead.objects.get(pk=bad.pk), "form", at=at)
    work()
    assert names(client.get("/leads/?is=back")) == ["Bad E"]


def test_the_counts_of_the_short_lists_are_true(rep, owner, gate, browse):
    with gate(rep) as at:
        leads = came(rep, at, "Taken A", "Waiting B", "Late C", "Go D")
        handoff.open_for(leads[:3], why={one.pk: "." for one in leads}, workspace=rep.workspace, at=at)
        Handoff.objects.filter(lead=leads[2]).update(due_at=at - timedelta(hours=1))
        handoff.accept(leads[0], by=owner, to=rep, at=at)
        Lead.objects.filter(pk=leads[3].pk).update(waits_since=at)
    page = browse(rep).get("/leads/").content.decode()
    assert "2 ready for sales, 1 with sales, 1 waiting for a go" in page
    assert "Waiting for a go" in page
    assert "Ready, waits for a go" in page
    for_owner = browse(owner).get("/leads/").content.decode()
    assert "1 with sales, 1 waiting for your go" in for_owner
    assert "Waiting for your go" in for_owner
    assert "Ready, waits for your go" in for_owner
    assert 'Late <span class="meta">1</span>' in page


def test_those_with_nobody_active_are_listed_and_the_owner_is_told(rep, other_rep, owner, gate, browse):
    with gate(rep) as at:
        for lead, member in zip(came(rep, at, "Ann Bell", "Bob Ray"), (rep, other_rep), strict=True):
            lead.move(Stage.WORKING, at=at, by=owner, holder=member)
    client = browse(owner)
    assert "With nobody active" not in client.get("/leads/").content.decode()
    assert "2 people are on their way, each with somebody." in client.get("/").content.decode()
    with gate(rep):
        Member.objects.filter(pk=rep.pk).update(active=False)
    assert 'With nobody active <span class="meta">1</span>' in client.get("/leads/").content.decode()
    assert names(client.get("/leads/?is=left")) == ["Ann Bell"]
    home = client.get("/").content.decode()
    assert "1 lead is held by nobody active" in home
    assert "2 people are on their way, 1 of them with nobody who works here." in home


@pytest.mark.parametrize(
    "query",
    ["after=abc", "after=" + "x" * 5000, "is=nonsense", "order=by-name", "after=WzFd:1vM:abc"],
)
def test_an_address_that_was_tampered_with_is_refused_in_words(rep, browse, query):
    answer = browse(rep).get(f"/leads/?{query}")
    assert answer.status_code == 400
    assert "<h1" in answer.content.decode()


def test_a_cursor_of_one_list_is_none_of_another(rep, gate, browse, work):
    with gate(rep) as at:
        came(rep, at, *[f"Ann{number} Bell" for number in range(PAGE + 1)])
    work()
    client = browse(rep)
    following = html.unescape(MORE.search(client.get("/leads/").content.decode())[1])
    assert client.get(following + "&order=engagement").status_code == 400


def test_ten_rows_cost_no_more_queries_than_one(rep, owner, gate, browse, work):
    def scene(number):
        with gate(rep) as at:
            leads = came(rep, at, *[f"A{number} Bell{place}" for place in range(number * 3)], phone="")
            third = len(leads) // 3
            handoff.open_for(leads[: third * 2], why={one.pk: "." for one in leads}, workspace=rep.workspace, at=at)
            for lead in leads[:third]:
                handoff.accept(lead, by=owner, to=rep, at=at)
        work()

    def measured(address):
        client = browse(rep)
        client.get(address)
        with CaptureQueriesContext(
            connection,
        ) as spent:
            names(client.get(address))
        return len(spent)

    scene(1)
    few = [measured(f"/leads/?order={order}") for order in ("newest", "engagement")]
    scene(10)
    many = [measured(f"/leads/?order={order}") for order in ("newest", "engagement")]
    assert many == few
    assert max(many) <= 16


def test_an_empty_business_says_what_comes_first(rep, viewer, browse):
    page = browse(rep).get("/leads/").content.decode()
    assert "The first one comes by itself" in page
    assert "Add one by hand" in page
    assert "Add one by hand" not in browse(viewer).get("/leads/").content.decode()


def test_an_outsider_sees_nobody_of_us(rep, outsider, gate, browse):
    with gate(rep) as at:
        came(rep, at, "Ann Bell")
    assert "Ann Bell" not in browse(outsider).get("/leads/?q=ann").content.decode()


def test_words_of_others_stay_text(rep, gate, browse):
    with gate(rep) as at:
        came(rep, at, "Ann Bell", name="<script>alert(1)</script>")
    page = browse(rep).get("/leads/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_the_list_says_with_whom_and_what_is_next(rep, owner, gate, browse):
    with gate(rep) as at:
        waiting, cooling = came(rep, at, "Waiting B", "Cooling C")
        handoff.open_for([waiting, cooling], why={waiting.pk: ".", cooling.pk: "."}, workspace=rep.workspace, at=at)
        handoff.give_back(cooling, reason=GiveBackReason.objects.get(key="no-answer"), by=owner, at=at)
    page = browse(rep).get("/leads/").content.decode()
    assert "Waits for Rita" in page
    assert "To be taken by" in page
    assert "Comes back on" in page


def test_whoever_was_taken_and_is_not_spoken_to_stands_with_what_we_promised_them(rep, owner, gate, browse):
    with gate(rep) as at:
        silent, spoken = came(rep, at, "Silent Day", "Spoken To")
        handoff.open_for([silent, spoken], why={silent.pk: ".", spoken.pk: "."}, workspace=rep.workspace, at=at)
        for lead in (silent, spoken):
            handoff.accept(lead, by=rep, at=at)
        touch(spoken, "call_made", by=rep, at=at)
        due = Handoff.objects.get(lead=silent).contact_due_at
        promised = f"To be spoken to by {when(rep.workspace.local(due))}"
    rows = html.unescape(browse(owner).get("/leads/").content.decode()).split("<tr")
    (row,) = (one for one in rows if "To be spoken to by" in one)
    assert "Silent Day" in row
    assert promised in row


def test_a_filter_that_nobody_fits_says_so_and_is_dropped_by_a_link(rep, gate, browse):
    with gate(rep) as at:
        came(rep, at, "Ann Bell")
    client = browse(rep)
    page = client.get("/leads/?is=marketing&fit=A&engagement=2").content.decode()
    assert "In this list nobody has fit A and engagement 2." in page
    assert "fills and empties by itself" not in page
    assert '<a class="btn" href="/leads/?is=marketing">Drop the filter</a>' in page
    found = client.get("/leads/?q=Ann&engagement=4").content.decode()
    assert "of those with engagement 4." in found
    assert '<a class="btn" href="/leads/?q=Ann">Search without the filter</a>' in found
    assert "fills and empties by itself" in client.get("/leads/?is=customers").content.decode()
