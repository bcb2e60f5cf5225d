"""/api/v1/docs/: the page that says what programs may ask."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from funnel.api.schema import described

pytestmark = pytest.mark.django_db


def test_it_shows_every_address_with_what_it_takes_and_answers(viewer, browse):
    page = browse(viewer).get("/api/v1/docs/").content.decode()
    shown = re.findall(r'<b class="method">(\w+)</b> <code>([^<]+)</code>', page)
    said = {(method.upper(), path) for path, methods in described()["paths"].items() for method in methods}
    assert set(shown) == said
    assert len(shown) == len(said)
    batch = page[page.index("/api/v1/leads/batch/") :].partition("</details>")[0]
    assert "<code>leads[].source.channel</code>" in batch
    leads = page[page.index("/api/v1/leads/</code>") :].partition("</details>")[0]
    assert "<code>results[].handoff.due_at</code>" in leads
    assert "`" not in page


def test_the_keys_page_leads_there_and_a_key_does_not(owner, browse, api):
    assert 'href="/api/v1/docs/"' in browse(owner).get(reverse("keys")).content.decode()
    for somebody in (api(owner).client, Client()):
        answer = somebody.get("/api/v1/docs/")
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/accounts/login/")


def test_a_list_answers_an_object_in_the_schema_too():
    answer = described()["paths"]["/api/v1/leads/"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"]["required"] == ["results", "next"]
