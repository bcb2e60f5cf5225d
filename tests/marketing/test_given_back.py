"""Marketing's page of what sales gave back: by reason, by source, with the rep's words."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from marketing.campaigns.models import Campaign
from marketing.channels.models import Channel

PAGE = reverse("marketing:given-back")


@pytest.fixture
def back(gate, rep, work):
    """Give leads back, each by (name, channel, campaign, reason, words)."""

    def given(*rows):
        with gate(rep) as at:
            for name, channel, campaign, _, _ in rows:
                who = {"name": name, "email": f"{name.replace(' ', '')}@lead.example"}
                (got,) = receive(rep.workspace, [Capture(**who, channel=channel, campaign=campaign)], at=at)
                handoff.keep(got.lead, by=rep, at=at)
        work()
        with gate(rep) as at:
            for name, _, _, key, words in rows:
                reason = GiveBackReason.objects.get(key=key)
                handoff.give_back(Lead.objects.get(name=name), reason=reason, by=rep, at=at, note=words)

    return given


@pytest.fixture
def three(back):
    back(
        ("Ann Bell", "radio", "Spring", "no-budget", "No money until autumn"),
        ("Bob Cray", "radio", "", "no-answer", "Rang six times"),
        ("Cleo Dunn", "referral", "Spring", "no-budget", ""),
    )


def names(answer):
    return [row.lead.name for row in answer.context["rows"]]


def test_every_give_back_stands_there_with_words_reason_and_way_back(three, viewer, browse):
    answer = browse(viewer).get(PAGE)
    page = answer.content.decode()
    assert names(answer) == ["Cleo Dunn", "Bob Cray", "Ann Bell"]
    assert "“<bdi>No money until autumn</bdi>”" in page
    assert "Rita about" in page
    assert page.count("then back when they are ready again") == 3
    assert [(one["name"], one["many"]) for one in answer.context["reasons"]] == [
        ("No budget at present", 2), ("Could not reach them", 1),
    ]  # fmt: skip
    assert [(one["name"], one["many"]) for one in answer.context["channels"]] == [("Radio", 2), ("Referral", 1)]
    assert f'href="{PAGE}"' in browse(viewer).get(reverse("marketing:home")).content.decode()


def test_it_is_narrowed_by_reason_by_source_and_by_both(three, viewer, browse, gate):
    client = browse(viewer)
    with gate(viewer):
        radio, spring = Channel.objects.get(key="radio").pk, Campaign.objects.get(name="Spring").pk
    assert names(client.get(PAGE, {"reason": "no-budget"})) == ["Cleo Dunn", "Ann Bell"]
    assert names(client.get(PAGE, {"channel": radio})) == ["Bob Cray", "Ann Bell"]
    assert names(client.get(PAGE, {"campaign": spring})) == ["Cleo Dunn", "Ann Bell"]
    both = client.get(PAGE, {"reason": "no-budget", "channel": radio})
    assert names(both) == ["Ann Bell"]
    assert [one["many"] for one in both.context["reasons"]] == [1, 1], "the other reasons of this channel stay in sight"
    assert names(client.get(PAGE, {"reason": "rubbish"})) == ["Cleo Dunn", "Bob Cray", "Ann Bell"]


def test_an_outsider_sees_nothing_of_it(three, outsider, browse):
    assert names(browse(outsider).get(PAGE)) == []


def test_it_goes_on_by_key_and_costs_the_same_for_one_and_for_sixty(back, viewer, browse):
    client = browse(viewer)
    back(("Lead 00", "radio", "", "no-answer", "x"))
    client.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE)
    back(*((f"Lead {number:02}", "radio", "", "no-answer", "x") for number in range(1, 60)))
    with CaptureQueriesContext(connection) as many:
        answer = client.get(PAGE)
    assert len(many) <= len(few)
    rest = client.get(PAGE + answer.context["next_url"])
    assert sorted([*names(answer), *names(rest)]) == [f"Lead {number:02}" for number in range(60)]
    assert client.get(PAGE, {"after": "rubbish"}).status_code == 400
