"""Beside a form's settings stands what its page says, too."""

import pytest
from django.urls import reverse

from marketing.capture.models import Form


def preview(browse, member, form):
    page = browse(member).get(reverse("marketing:form", args=[form.pk])).content.decode()
    return page.partition('<div class="preview-frame">')[2].partition("<iframe")[0]


def test_the_title_and_the_sentence_below_it_stand_above_the_form(form, set_form, browse, marketer):
    set_form(form, title="Free <roof> check", intro="One of us comes to you.\nIt costs nothing.")
    shown = preview(browse, marketer, form)
    assert "Free &lt;roof&gt; check" in shown
    assert "One of us comes to you.<br>It costs nothing." in shown
    set_form(form, intro="")
    assert 'class="intro"' not in preview(browse, marketer, form)


@pytest.mark.parametrize("address", ["https://crm.example", "http://127.0.0.1:8000"])
def test_a_padlock_is_drawn_only_where_the_address_has_one(form, browse, marketer, settings, address):
    settings.PUBLIC_URL = address
    shown = preview(browse, marketer, form)
    assert f"<span>{address}{form.path}</span>" in shown
    assert ("#lock" in shown) == address.startswith("https")


def test_the_preview_has_the_business_s_own_colour(form, browse, marketer):
    marketer.workspace.brand = "#12806f"
    marketer.workspace.save(update_fields=["brand"])
    page = browse(marketer).get(reverse("marketing:form", args=[form.pk])).content.decode()
    assert f'<link rel="stylesheet" href="{reverse("brand", args=["12806f"])}">' in page


def test_a_question_too_long_is_refused_whole_and_not_cut(form, browse, marketer, gate):
    asked = {
        "name": form.name, "title": form.title, "button": form.button, "purpose": form.purpose, "thanks": "Thank you.",
        "is_open": "on", "question": ["name", "email"], "label-name": "Your name, please " * 7, "label-email": "E-mail",
    }  # fmt: skip
    answer = browse(marketer).post(reverse("marketing:form", args=[form.pk]), asked)
    assert answer.status_code == 422
    assert "in at most 120 characters; this has 125." in answer.content.decode()
    assert f'value="{("Your name, please " * 7).strip()}"' in answer.content.decode()
    with gate(marketer):
        assert Form.objects.get(pk=form.pk).fields == form.fields
