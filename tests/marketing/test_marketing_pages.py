"""Marketing's pages: who may see and change them, and a fixed number of queries whatever they list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.templatetags.words import short_day
from marketing.campaigns.actions import start_campaign
from marketing.campaigns.models import Campaign, Placement
from marketing.capture.actions import open_form, send_in
from marketing.capture.models import Form

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(owner: Any, rep: Any, gate: Any, work: Any) -> Any:
    """Fill the business with so many campaigns, forms, sources, leads and submissions."""

    def filled(many: int, first: int = 0) -> tuple[Campaign, Form]:
        with gate(owner) as at:
            for n in range(first, first + many):
                start_campaign(Campaign(workspace=owner.workspace, name=f"Camp {n}"), by=owner, at=at)
                form = open_form(
                    Form(workspace=owner.workspace, name=f"F {n}", title="F", fields=[], created_at=at), by=owner
                )
                send_in(form, {"name": "A", "email": f"s{n}@x.example"}, origin={}, flags=["trap"], at=at)
                send_in(Form.objects.earliest("created_at"), {"name": "A"}, origin={}, flags=["fast"], at=at)
                receive(
                    owner.workspace,
                    [
                        Capture(email=f"a{n}@x.example", channel="radio", campaign="Camp 0", placement=f"p{n}"),
                        Capture(email=f"b{n}@x.example", channel=f"pod {n}", campaign=f"Camp {n}"),
                    ],
                    at=at - timedelta(seconds=1),
                    by=None,
                    lane="live",
                )
        work()
        with gate(owner):
            return Campaign.objects.get(key="camp 0"), Form.objects.earliest("created_at")

    return filled


def pages(campaign: Campaign, form: Form) -> list[str]:
    return [
        reverse("marketing:home"),
        reverse("marketing:campaigns"),
        reverse("marketing:campaign", args=[campaign.pk]),
        reverse("marketing:forms"),
        reverse("marketing:form", args=[form.pk]),
        reverse("marketing:form-submissions", args=[form.pk]),
        reverse("marketing:form-submissions", args=[form.pk]) + "?is=held",
        reverse("marketing:sources"),
        reverse("marketing:sources") + "?is=all",
        reverse("marketing:form-qr", args=[form.pk]),
    ]


def changes(campaign: Campaign, form: Form) -> list[str]:
    return [
        reverse("marketing:campaign-add"),
        reverse("marketing:campaign-edit", args=[campaign.pk]),
        reverse("marketing:form-add"),
    ]


def test_every_role_reads_and_only_marketing_changes(
    owner: Any, manager: Any, marketer: Any, rep: Any, viewer: Any, browse: Any, scene: Any, gate: Any
) -> None:
    campaign, form = scene(1)
    with gate(owner):
        placement = Placement.objects.first()
    for member in (owner, manager, marketer, rep, viewer):
        client = browse(member)
        may = member.role in ("owner", "manager", "marketer")
        for page in pages(campaign, form):
            assert client.get(page).status_code == 200, (member.role, page)
        for page in changes(campaign, form):
            assert client.get(page).status_code == (200 if may else 403), (member.role, page)
        assert client.post(reverse("marketing:form", args=[form.pk]), {}).status_code == (422 if may else 403)
        answer = client.post(reverse("marketing:source", args=[placement.pk]))
        assert answer.status_code == (302 if may else 403)
        assert client.post(reverse("marketing:form-shared", args=[form.pk])).status_code == (302 if may else 403)


def test_what_needs_somebody_is_told_to_those_who_may_answer_it(
    marketer: Any, viewer: Any, browse: Any, scene: Any
) -> None:
    scene(1)
    assert "Needs you" in browse(marketer).get(reverse("marketing:home")).content.decode()
    assert "Needs you" not in browse(viewer).get(reverse("marketing:home")).content.decode()


def test_another_business_finds_nothing_of_it(outsider: Any, owner: Any, browse: Any, scene: Any, gate: Any) -> None:
    campaign, form = scene(1)
    with gate(owner):
        placement = Placement.objects.first()
    client = browse(outsider)
    for page in (
        reverse("marketing:campaign", args=[campaign.pk]),
        reverse("marketing:campaign-edit", args=[campaign.pk]),
        reverse("marketing:form", args=[form.pk]),
        reverse("marketing:form-submissions", args=[form.pk]),
        reverse("marketing:form-qr", args=[form.pk]),
    ):
        assert client.get(page).status_code == 404
    assert client.post(reverse("marketing:source", args=[placement.pk])).status_code == 404
    assert client.post(reverse("marketing:form-shared", args=[form.pk])).status_code == 404


def test_the_number_of_queries_does_not_grow_with_the_rows(owner: Any, browse: Any, scene: Any) -> None:
    campaign, form = scene(1)
    client = browse(owner)

    def measured() -> dict[str, int]:
        numbers = {}
        for page in pages(campaign, form):
            tries = []
            # What all pages remember for a few seconds is asked again now and then; the least is the page's own.
            for _ in range(3):
                with CaptureQueriesContext(connection) as queries:
                    assert client.get(page).status_code == 200
                tries.append(len(queries))
            numbers[page] = min(tries)
        return numbers

    one = measured()
    scene(9, first=1)
    ten = measured()
    assert {page: ten[page] - one[page] for page in one if ten[page] > one[page]} == {}


def test_each_figure_names_its_time_and_home_leads_to_the_same(owner: Any, browse: Any, scene: Any) -> None:
    scene(2)
    client = browse(owner)
    today = owner.workspace.local(timezone.now()).date()
    month = f"since {short_day(today.replace(day=1))}"
    for period, when, who in (("month", month, month), ("all", "so far", "at any time")):
        page = client.get(reverse("marketing:home"), {"period": period}).content.decode()
        assert f"4 new leads {when}, " in page
        assert f"Of those who came {who}." in page
    for period in ("month", "quarter"):
        home = client.get(reverse("home"), {"period": period}).content.decode()
        assert f'href="{reverse("marketing:home")}?period={period}"' in home


def test_a_garbled_page_address_is_refused(owner: Any, browse: Any, scene: Any) -> None:
    campaign, form = scene(1)
    client = browse(owner)
    for page in pages(campaign, form)[1:-1]:
        if page.endswith(reverse("marketing:form", args=[form.pk])):
            continue
        assert client.get(page.split("?")[0] + "?after=garbage").status_code == 400, page


def test_the_form_page_may_frame_our_own_form_only(owner: Any, browse: Any, scene: Any) -> None:
    _, form = scene(1)
    answer = browse(owner).get(reverse("marketing:form", args=[form.pk]))
    assert "frame-src 'self'" in answer["Content-Security-Policy"]
    page = answer.content.decode()
    assert "<iframe src=" in page
    assert "frameborder=" in page, "on their site it looks like a part of the page"
    assert "style=" not in page


@pytest.mark.parametrize("budget", ["1e1000000", "1e-1000000", "1e20", "sNaN"])
def test_a_budget_that_is_no_sum_of_money_comes_back(marketer: Any, browse: Any, budget: str) -> None:
    answer = browse(marketer).post("/marketing/campaigns/add/", {"name": "Spring", "budget": budget})
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["budget"])


def test_a_site_that_is_no_address_comes_back(marketer: Any, browse: Any, gate: Any) -> None:
    with gate(marketer):
        form = Form.objects.get()
    answer = browse(marketer).post(f"/marketing/forms/{form.pk}/", {"origins": "http://["})
    assert answer.status_code == 422
    assert "origins" in answer.context["form"].errors


def test_beside_links_stands_that_they_lead_to_this_computer_only(
    owner: Any, marketer: Any, browse: Any, gate: Any, settings: Any
) -> None:
    with gate(owner) as at:
        form = Form.objects.get()
        campaign = start_campaign(Campaign(workspace=owner.workspace, name="Spring"), by=owner, at=at)
    warned = [reverse("home"), reverse("marketing:form", args=[form.pk])]
    warned += [reverse("marketing:campaign", args=[campaign.pk])]
    for page in warned:
        assert '<a class="inline-link" href="/business/#address">Let others in</a>' in str(
            browse(owner).get(page).content
        )
    assert "The owner can let others in." in browse(marketer).get(warned[1]).content.decode()
    business = browse(owner).get("/business/").content.decode()
    assert "HOST=0.0.0.0 make run" in business
    settings.ONLY_HERE = False
    for page in warned:
        assert "only-here" not in browse(owner).get(page).content.decode()
    assert "HOST=0.0.0.0" not in browse(owner).get("/business/").content.decode()


def test_a_question_is_added_and_the_page_says_that_it_is_published(owner: Any, browse: Any, gate: Any) -> None:
    with gate(owner):
        form = Form.objects.get()
    page = reverse("marketing:form", args=[form.pk])
    shown = browse(owner).get(page)
    assert "is saved and published at once" in shown.content.decode()
    sent = {"name": form.name, "title": form.title, "button": form.button, "thanks": form.thanks, "is_open": "on"}
    sent |= {"purpose": form.purpose, "question": ["email"], "new": "company", "do": "add"}
    answer = browse(owner).post(page, sent, follow=True)
    assert "Saved and published. Visitors see it now." in answer.content.decode()
    with gate(owner):
        assert [row["name"] for row in Form.objects.get().fields] == ["email", "company"]


def test_more_new_names_than_are_shown_are_spoken_of(marketer: Any, gate: Any, work: Any, browse: Any) -> None:
    def said(many: int) -> tuple[int, bool]:
        with gate(marketer) as at:
            receive(
                marketer.workspace,
                [Capture(email=f"a{n}@x.example", channel="radio", placement=f"p{n}") for n in range(many)],
                at=at - timedelta(seconds=1),
            )
        work()
        page = browse(marketer).get(reverse("marketing:home")).content.decode()
        return page.count("A new name came in"), "More new names came in" in page

    assert said(3) == (3, False)
    assert said(5) == (3, True)
