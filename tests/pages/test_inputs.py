"""Inputs written out by Baton are what Django's own templates would draw."""

import re

import pytest
from django import forms
from django.forms.renderers import TemplatesSetting

from funnel.templatetags.inputs import DRAWN, Renderer

ODD = "O’Hara & \"Sons\" <b>'x'</b>"


class Everything(forms.Form):
    name = forms.CharField(max_length=20, help_text="As on the card")
    mail = forms.EmailField(required=False)
    many = forms.IntegerField(min_value=1, required=False)
    page = forms.URLField(required=False, assume_scheme="https")
    secret = forms.CharField(widget=forms.PasswordInput)
    kept = forms.CharField(widget=forms.HiddenInput)
    on = forms.DateField(widget=forms.DateInput(attrs={"type": "date", "min": "2026-01-01"}))
    hour = forms.TimeField(widget=forms.TimeInput(attrs={"type": "time"}), required=False)
    note = forms.CharField(widget=forms.Textarea(attrs={"rows": 2, "placeholder": ODD}))
    agreed = forms.BooleanField(disabled=True)
    one = forms.ChoiceField(choices=[("", "–"), ("a", ODD), (ODD, "b"), ("Group", [("c", "C"), ("d", "D")])])
    some = forms.ChoiceField(choices=[(1, "first"), (2, "second")], widget=forms.Select(attrs={"hidden": False}))
    radio = forms.ChoiceField(choices=[("a", "A")], widget=forms.RadioSelect)


@pytest.mark.parametrize(
    "given", [None, {}, {"name": ODD, "many": "0", "note": f"\n{ODD}", "agreed": "on", "one": ODD}]
)
def test_a_field_looks_as_django_draws_it(given):
    form = Everything(given, initial={"some": 2, "on": "2026-05-05", "agreed": True})
    drawn = {}
    for renderer in (Renderer(), TemplatesSetting()):
        form.renderer = renderer
        # White space between an option and the next is all that may differ.
        drawn[type(renderer)] = [re.sub(r">\s+<(?!/textarea)", "><", str(field)) for field in form]
    assert drawn[Renderer] == drawn[TemplatesSetting]
    assert len(DRAWN) >= 10
