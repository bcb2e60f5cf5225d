"""What stands around every page."""

import pytest
from django.test import Client
from django.urls import reverse

from funnel.overview.health import lateness
from funnel.overview.navigation import NAV, TABS
from funnel.scoring.models import RuleVersion
from funnel.workspaces.models import Role

pytestmark = pytest.mark.django_db
PLACES = [place for _, _, places in NAV for place in places]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_every_place_has_a_page(place):
    assert reverse(place.name).startswith("/")


@pytest.mark.parametrize("who", ["owner", "manager", "marketer", "rep", "viewer"])
def test_everybody_is_let_in_everywhere_they_are_led_to(request, who, browse):
    member = request.getfixturevalue(who)
    client = browse(member)
    page = client.get(reverse("me"))
    led = [item["url"] for wing in page.context["nav"] for item in wing["items"]]
    led += [item["url"] for key in ("tabs", "menu", "settings_nav") for item in page.context[key]]
    assert len(page.context["tabs"]) == len(TABS[member.role]) <= 5
    for url in dict.fromkeys(led):
        assert client.get(url, follow=True).status_code == 200, url


@pytest.mark.parametrize(
    ("place", "pages"),
    [
        ("People and keys", ("keys", "currencies", "business", "fields")),
        ("Rules", ("rule-add", "rule", "rules-lines", "rules-sets", "rules-version", "reasons")),
    ],
)
def test_a_place_is_marked_where_one_is(owner, browse, gate, place, pages):
    with gate(owner):
        version = RuleVersion.objects.get()
    needed = {"rules-version": [version.pk], "rule": ["fit", version.rules["fit"][0]["key"]]}
    for page in pages:
        around = browse(owner).get(reverse(page, args=needed.get(page))).context
        current = [item["label"] for wing in around["nav"] for item in wing["items"] if item["current"]]
        assert current == [place], page


@pytest.mark.parametrize("who", ["owner", "manager"])
def test_the_tabs_of_the_settings_stay_where_one_of_them_leads(request, who, browse):
    client = browse(request.getfixturevalue(who))
    for item in client.get(reverse("people")).context["settings_nav"]:
        page = client.get(item["url"])
        assert [tab["label"] for tab in page.context["settings_nav"] if tab["current"]] == [item["label"]]
        assert 'aria-label="Settings"' in page.content.decode()
    assert reverse("fields") in page.content.decode()


def test_only_those_who_decide_find_people_and_status(rep, marketer, viewer, browse):
    for member in (rep, marketer, viewer):
        page = browse(member).get(reverse("me")).content.decode()
        assert reverse("people") not in page
        assert reverse("stuck") not in page


def test_a_stranger_sees_no_place_at_all():
    page = Client().get(reverse("account_login")).content.decode()
    assert "Leads" not in page
    assert set(TABS) == set(Role)


def test_what_is_around_a_page_costs_one_or_two_small_queries(owner, browse, django_assert_max_num_queries):
    client = browse(owner)
    client.get(reverse("me"))
    lateness.known.clear()
    # Session, person, memberships; then the worker's heartbeat and the oldest duty.
    with django_assert_max_num_queries(10):
        client.get(reverse("me"))
