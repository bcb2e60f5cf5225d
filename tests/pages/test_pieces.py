"""Pieces of HTML are escaped as Django escapes them."""

from django import forms
from django.utils import html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from funnel.templatetags.pieces import format_html, format_html_join


class _Asks(forms.Form):
    name = forms.CharField(label="“Who” <b>")


def test_what_is_not_html_is_escaped_and_what_is_stays():
    parts = ["<a href='x'>\"&amp;", mark_safe("<b>bold</b>"), 5, None, gettext_lazy("Yes & no"), _Asks()["name"], ""]
    for part in parts:
        assert format_html("<p>{}</p>", part) == html.format_html("<p>{}</p>", part)
        assert format_html("<p id={one}>{0}</p>", part, one=part) == html.format_html(
            "<p id={one}>{0}</p>", part, one=part
        )
    rows = [(one, "<i>") for one in parts]
    assert format_html_join("<br>", "{} {}", rows) == html.format_html_join("<br>", "{} {}", rows)
    assert format_html_join(mark_safe("<br>"), "{} {}", rows) == html.format_html_join(mark_safe("<br>"), "{} {}", rows)


def test_a_piece_is_not_escaped_again():
    assert format_html("{}", format_html("<b>{}</b>", "<")) == "<b>&lt;</b>"
    assert format_html("{}", format_html_join("", "<b>{}</b>", [("<",)])) == "<b>&lt;</b>"
