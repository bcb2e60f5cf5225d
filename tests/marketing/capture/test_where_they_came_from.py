"""Tags, referrer and a campaign's link become the touch's source."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from marketing.campaigns.actions import start_campaign
from marketing.campaigns.models import Campaign
from marketing.capture.models import Form
from marketing.capture.origins import came_from

from .conftest import TYPED

HERE = "crm.example"


def source(query: str = "", referer: str = "", own: tuple[str, ...] = (), **typed: str) -> tuple[str, str, str]:
    from urllib.parse import parse_qsl

    found = came_from(typed, dict(parse_qsl(query)), referer, here=HERE, own=own)
    return found["channel"], found["campaign"], found["placement"]


@pytest.mark.once
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("utm_medium=cpc&utm_source=google&utm_campaign=Spring", ("paid_search", "Spring", "google")),
        ("utm_medium=email&utm_source=june&utm_content=top", ("email", "", "top")),
        ("utm_medium=E-Mail&utm_source=june", ("email", "", "june")),
        ("utm_medium=social&utm_source=facebook", ("social", "", "facebook")),
        ("utm_source=flyer&utm_content=wenlock", ("flyer", "", "wenlock")),
        ("utm_source=google", ("organic_search", "", "google")),
        ("utm_source=a-partner", ("referral", "", "a-partner")),
        ("utm_medium=podcast&utm_source=talk", ("podcast", "", "talk")),
        ("c=spring", ("direct", "spring", "")),
        ("utm_campaign=%00x" + "y" * 300, ("direct", ("x" + "y" * 300)[:120], "")),
        ("", ("direct", "", "")),
    ],
)
def test_the_tags_of_a_link_name_the_source(query: str, expected: tuple[str, str, str]) -> None:
    assert source(query) == expected
    assert source("", **dict(pair.split("=") for pair in query.split("&") if pair and "%" not in pair)) == expected or (
        "%" in query
    )


@pytest.mark.once
@pytest.mark.parametrize(
    ("referer", "channel", "placement"),
    [
        ("https://www.google.co.uk/", "organic_search", "google.co.uk"),
        ("https://bing.com/search?q=roof", "organic_search", "bing.com"),
        ("https://l.facebook.com/x", "social", "l.facebook.com"),
        ("https://t.co/abc", "social", "t.co"),
        ("https://news.example/story", "referral", "news.example"),
        ("https://googled.example/", "referral", "googled.example"),
        ("https://ours.example/contact", "unknown", ""),
        (f"https://{HERE}/f/abc/", "direct", ""),
        ("javascript:alert(1)", "direct", ""),
        ("https://[broken", "direct", ""),
    ],
)
def test_without_tags_the_referrer_does(referer: str, channel: str, placement: str) -> None:
    assert source("", referer, own=("ours.example",)) == (channel, "", placement)
    assert source("", f"https://{HERE}/f/abc/", own=("ours.example",), referrer=referer) == (channel, "", placement)


@pytest.mark.once
def test_the_tags_of_the_page_around_count_after_the_link_s_own() -> None:
    around = "https://ours.example/?utm_medium=radio&utm_campaign=autumn"
    assert source("", around) == ("radio", "autumn", "")
    assert source("utm_campaign=spring", around) == ("radio", "spring", "")


@pytest.mark.django_db(transaction=True)
def test_the_referrer_survives_from_the_page_to_the_lead(
    visitor: Client, form: Form, owner: Any, gate: Any, work: Any
) -> None:
    page = visitor.get(f"{form.path}?utm_campaign=Lower+bills", headers={"Referer": "https://www.google.com/"})
    assert 'name="referrer" value="https://www.google.com/"' in page.content.decode()
    visitor.post(
        f"{form.path}?utm_campaign=Lower+bills",
        {**TYPED, "referrer": "https://www.google.com/"},
        headers={"Referer": f"http://testserver{form.path}"},
    )
    work()
    with gate(owner):
        lead = Lead.objects.select_related("source").get()
        placement = lead.source.placements.select_related("channel", "campaign").get()
        assert (lead.source.channel, lead.source.campaign) == ("organic_search", "Lower bills")
        assert (placement.channel.name, placement.channel.is_new) == ("Organic search", False)
        assert (placement.campaign.name, placement.campaign.is_new) == ("Lower bills", True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("link", "promised"), [("", ["A free roof check"]), ("?utm_campaign=autumn", ["Half off"]), ("?c=winter", [])]
)
def test_what_was_promised_is_the_offer_of_the_campaign_they_came_by(
    link: str, promised: list[str], visitor: Client, form: Form, set_form: Any, owner: Any, gate: Any, work: Any
) -> None:
    with gate(owner) as at:
        for name, offer in (("Spring", "A free roof check"), ("Autumn", "Half off"), ("Winter", "")):
            start_campaign(Campaign(workspace=owner.workspace, name=name, offer=offer), by=owner, at=at)
        spring = Campaign.objects.get(key="spring")
    set_form(form, campaign=spring)
    visitor.post(form.path + link, TYPED, headers={"Referer": f"http://testserver{form.path}"})
    work()
    with gate(owner):
        assert Handoff.objects.get().card["promised"] == promised
