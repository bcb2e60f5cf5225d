"""What stands on the business's quotes and public pages: address, tax number, logo, usual terms."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django import forms
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from funnel.mail.looks import BRAND
from funnel.workspaces import logos
from funnel.workspaces.models import Workspace
from funnel.workspaces.roles import public

COLOUR = "^#[0-9a-f]{6}$"


class LetterheadForm(forms.Form):
    """Address, tax number, terms, logo and colour."""

    address = forms.CharField(
        label="Address",
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "street-address"}),
        help_text="As it stands on a letter, a line each.",
    )
    tax_number = forms.CharField(
        label="Tax number, and where you are registered",
        max_length=120,
        required=False,
        help_text="With its name, like “VAT GB 123 4567 89”. It stands at the foot of each quote.",
    )
    quote_terms = forms.CharField(
        label="What is agreed on with a quote",
        max_length=8000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="A line each. Every new quote begins with them; each can be changed there.",
    )
    logo = forms.FileField(
        label="Logo",
        required=False,
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg"}),
        help_text="PNG or JPEG, up to 512 kB. It stands on white.",
    )

    brand = forms.RegexField(
        COLOUR,
        label="Colour",
        required=False,
        widget=forms.TextInput(attrs={"type": "color", "class": "form-control-color"}),
        error_messages={"invalid": "Write a colour like #f2b200."},
        help_text="For buttons and lines of forms, quotes, appointments and letters to customers. Words stay readable.",
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        kwargs["initial"] = {name: getattr(workspace, name) for name in ("address", "tax_number", "quote_terms")}
        kwargs["initial"]["brand"] = workspace.brand or BRAND
        super().__init__(*args, **kwargs)
        self.workspace = workspace

    def clean_logo(self) -> bytes | None:
        """Judge the picture by what is in it, never by its name."""
        given = self.cleaned_data["logo"]
        if given is None:
            return None
        content: bytes = given.read(logos.BIGGEST + 1)
        try:
            logos.judge(content)
        except logos.NoPicture as why:
            raise forms.ValidationError(str(why)) from None
        return content

    def values(self) -> dict[str, str]:
        """What the verb takes; a new logo is kept as a file first, under a name that nothing else has."""
        data = self.cleaned_data
        values = {
            name: "\n".join(line.strip() for line in data[name].splitlines()).strip()
            for name in ("address", "quote_terms")
        } | {"tax_number": " ".join(data["tax_number"].split())}
        if "brand" in self.data:
            values["brand"] = "" if data["brand"] == BRAND else data["brand"]
        if data["logo"]:
            values["logo"] = logos.keep(self.workspace.pk, data["logo"])
        elif "remove-logo" in self.data:
            values["logo"] = ""
        return values


@public
@require_safe
def logo(request: HttpRequest, pk: UUID, name: str) -> Any:
    """Serve a logo; its name is its fingerprint, so it may be kept for ever, and no browser may take it for a page."""
    path = logos.folder_of(pk) / name
    if not logos.NAME.fullmatch(name) or not path.is_file():
        raise Http404
    answer = FileResponse(path.open("rb"), content_type=logos.TYPES[name.rpartition(".")[2]])
    answer["Cache-Control"] = "public, max-age=31536000, immutable"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


@public
@require_safe
def brand(request: HttpRequest, colour: str) -> HttpResponse:
    """The style sheet of one colour; its address says all that is in it, so it may be kept for ever."""
    if not re.fullmatch("[0-9a-f]{6}", colour):
        raise Http404
    answer = HttpResponse(f":root {{ --brand: #{colour}; }}\n", content_type="text/css")
    answer["Cache-Control"] = "public, max-age=31536000, immutable"
    return answer
