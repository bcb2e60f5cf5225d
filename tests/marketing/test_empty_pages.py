"""A page with nothing on it yet says which step fills it, and offers no other."""

import pytest
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("address", "step"),
    [
        ("/sales/", "marketing:forms"),
        ("/sales/", "lead-add"),
        ("/handoffs/", "marketing:forms"),
        ("/handoffs/figures/", "marketing:forms"),
        ("/marketing/given-back/", "handoffs"),
        ("/marketing/money/?is=won&period=all", "sales:board"),
        ("/marketing/sources/", "marketing:campaigns"),
        ("/marketing/sources/?is=all", "marketing:campaigns"),
        ("/marketing/nurture/", "marketing:nurture-add"),
    ],
)
def test_an_empty_page_leads_to_the_step_that_fills_it(owner, browse, address, step):
    page = browse(owner).get(address).content.decode()
    main = page.partition("<main")[2].partition("</main>")[0]
    assert f'<a class="btn" href="{reverse(step)}">' in main.partition('<div class="blank">')[2]
    assert main.count('class="blank"') == 1


def test_what_was_won_asks_for_no_cost(owner, browse):
    page = browse(owner).get("/marketing/money/?is=won").content.decode()
    assert reverse("marketing:cost-add") not in page
    assert reverse("marketing:cost-add") in browse(owner).get("/marketing/money/?is=spent").content.decode()


def test_one_thing_has_one_primary_button(owner, browse):
    for address in ("/marketing/nurture/", "/marketing/forms/"):
        page = browse(owner).get(address).content.decode()
        assert page.partition("<main")[2].partition("</main>")[0].count("btn-primary") == 1
