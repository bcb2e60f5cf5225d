"""Campaigns and sources over the API."""

import pytest

from marketing.campaigns.models import Campaign

SPRING = {
    "name": "Spring offer",
    "goal": "Forty site visits",
    "offer": "A free survey of your roof",
    "starts_on": "2026-03-01",
    "ends_on": "2026-05-31",
    "budget": "1250.50",
    "channels": ["Radio", "paid search"],
}


def test_a_campaign_is_kept_as_it_was_sent_with_money_as_a_decimal(marketer, api, gate):
    answer = api(marketer).post("campaigns/", SPRING)
    told = answer.json()
    assert answer.status_code == 201
    assert {name: told[name] for name in SPRING} == {**SPRING, "channels": ["paid_search", "radio"]}
    assert (told["currency"], told["is_new"]) == ("GBP", False)
    with gate(marketer):
        assert Campaign.objects.get().budget == 125_050
    keyed = api(marketer)
    assert keyed.get(f"campaigns/{told['id']}/").json() == told
    assert keyed.get("campaigns/").json() == {"results": [told], "next": None}


def test_a_change_leaves_the_rest_and_the_name_by_which_sources_say_it(marketer, api):
    keyed = api(marketer)
    made = keyed.post("campaigns/", SPRING).json()
    told = keyed.patch(f"campaigns/{made['id']}/", {"name": "Early spring", "budget": None, "channels": []}).json()
    assert told == {**made, "name": "Early spring", "budget": None, "channels": []}


def test_two_campaigns_can_t_have_one_name(marketer, api, gate):
    keyed = api(marketer)
    keyed.post("campaigns/", SPRING)
    answer = keyed.post("campaigns/", {"name": "SPRING  OFFER"})
    assert (answer.status_code, answer.json()["field"]) == (409, "name")
    with gate(marketer):
        assert Campaign.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"budget": "-1"}, "budget"),
        ({"budget": "1e1000000"}, "budget"),
        ({"budget": "sNaN"}, "budget"),
        ({"budget": "Infinity"}, "budget"),
        ({"budget": "1.005"}, "budget"),
        ({"budget": 12.5}, "budget"),
        ({"budget": "10000000000000"}, "budget"),
        ({"starts_on": "2026-02-30"}, "starts_on"),
        ({"starts_on": "01/02/2026"}, "starts_on"),
        ({"ends_on": "2026-02-28"}, "ends_on"),
        ({"channels": ["carrier pigeon"]}, "channels"),
        ({"channels": "radio"}, "channels"),
        ({"key": "x"}, "key"),
        ({"workspace": "x"}, "workspace"),
    ],
)
def test_what_can_t_be_is_400_naming_the_field_and_nothing_is_stored(body, field, marketer, api, gate):
    answer = api(marketer).post("campaigns/", {**SPRING, **body})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    with gate(marketer):
        assert not Campaign.objects.exists()


def test_a_campaign_named_by_a_lead_s_source_is_the_one_that_is_there(marketer, api, gate, work):
    keyed = api(marketer)
    made = keyed.post("campaigns/", SPRING).json()
    source = {"channel": "radio", "campaign": "spring OFFER"}
    keyed.post("leads/", {"email": "a@b.example", "source": source})
    work()
    assert [one["id"] for one in keyed.get("campaigns/").json()["results"]] == [made["id"]]
    told = keyed.get("sources/").json()["results"]
    assert [(one["channel"], one["campaign"], one["placement"]) for one in told] == [("radio", "spring OFFER", "")]
