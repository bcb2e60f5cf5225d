"""What a rep says of a demo: why it is cancelled, and how it went; what is too long comes back as it was typed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from funnel.overview.back import way_back
from sales.demos.models import LONGEST_REASON, Demo


def lines_alike(text: str) -> str:
    """The text with one sign at the end of each line: a browser counts one and sends two."""
    return text.replace("\r\n", "\n")


class LinesField(forms.CharField):
    """Several lines, as long as the browser says that they are."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        """Count and keep the end of a line as one sign."""
        return lines_alike(super().to_python(value) or "")


class ReasonForm(forms.Form):
    """Why a demo is cancelled."""

    reason = LinesField(
        label="Reason", max_length=LONGEST_REASON, required=False, help_text="The lead reads it too.",
        widget=forms.Textarea({"rows": 3}),
    )  # fmt: skip

    def clean_reason(self) -> str:
        """One line, as it stands in the letter."""
        return " ".join(self.cleaned_data["reason"].split())


class NoteForm(forms.Form):
    """What was said, or what comes next."""

    note = LinesField(label="Note", max_length=4000, required=False, widget=forms.Textarea({"rows": 4}))


def again(
    request: HttpRequest, demo: Demo, form: forms.Form, *, does: str, status: int = 422, may: bool = True
) -> HttpResponse:
    """Ask once more with what was typed; `does` is what the button does, if it `may` be pressed again at all.

    Who reads that somebody else was faster (409) has seen the demo as it is, and may say otherwise.
    """
    context = {
        "demo": demo,
        "form": form,
        "does": does,
        "may": may,
        "next": way_back(request) or reverse("lead", args=[demo.lead_id]) + "#demos",
        "version": demo.version if status == 409 else request.POST.get("version", ""),
    }
    return render(request, "sales/demo_say.html", context, status=status)
