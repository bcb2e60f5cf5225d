"""The business's own fields: list them, add one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from funnel.leads.fields import define
from funnel.leads.identity import Refused
from funnel.leads.models import FieldDefinition
from funnel.workspaces.roles import allow, may


class FieldForm(forms.Form):
    """A new field: what it is called, of which kind, and its choices."""

    label = forms.CharField(
        label="What it is called", max_length=120, error_messages={"required": "Write what it is called."}
    )
    kind = forms.ChoiceField(
        label="What stands in it",
        choices=FieldDefinition.Kind.choices,
        widget=forms.RadioSelect,
        initial=FieldDefinition.Kind.TEXT,
        error_messages={"required": "Choose a kind.", "invalid_choice": "Choose a kind."},
    )
    choices = forms.CharField(
        label="Choices",
        required=False,
        max_length=14_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Only for a choice: one per line.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@allow("read")
def fields(request: Any) -> HttpResponse:
    """List the fields of the business; those who may change forms can add one."""
    may_change = may(request.member, "campaigns.change")
    form = FieldForm(request.POST if request.method == "POST" and may_change else None)
    status = 200
    if request.method == "POST":
        if not may_change:
            raise PermissionDenied("Your role reads these fields; it does not change them.")
        if form.is_valid():
            given = form.cleaned_data
            choices = given["choices"].splitlines() if given["kind"] == FieldDefinition.Kind.CHOICE else []
            try:
                made = define(given["label"], given["kind"], choices=choices, by=request.member, at=request.at)
            except Refused as refused:
                for name, sentence in refused.errors.items():
                    form.add_error(name if name in form.fields else "label", sentence)
            else:
                messages.success(request, f"“{made.label}” is a field now. Forms can ask for it.")
                return redirect("fields")
        status = 422
    listed = list(FieldDefinition.objects.all())
    return render(
        request,
        "funnel/overview/fields.html",
        {"fields": listed, "form": form, "may_change": may_change},
        status=status,
    )
