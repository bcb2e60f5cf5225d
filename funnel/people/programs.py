"""Keys for other programs: the page."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from funnel.people import keys
from funnel.workspaces.models import ApiKey, Member
from funnel.workspaces.roles import allow

SCOPE_WORDS = (
    ("leads", "Leads: read, send in, hand over"),
    ("campaigns", "Campaigns and sources"),
    ("deals", "Deals, demos, products and quotes"),
    ("ledger", "Revenue, costs and targets"),
    ("reports", "Reports"),
    ("members", "Who works here"),
)


class KeyForm(forms.Form):
    """What the key is for, as whom it acts, and what it may."""

    name = forms.CharField(label="What it is for", max_length=80, widget=forms.TextInput({"placeholder": "Website"}))
    member: forms.ModelChoiceField[Member] = forms.ModelChoiceField(
        label="Acts as", queryset=Member.objects.none(), empty_label=None
    )
    scopes = forms.MultipleChoiceField(
        label="May use", choices=SCOPE_WORDS, initial=["leads"], widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose what it may use."},
    )  # fmt: skip
    until = forms.DateField(label="Last day", required=False, widget=forms.DateInput({"type": "date"}))

    def __init__(self, *args: Any, by: Member, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.at, self.zone = at, by.workspace.zone
        members = Member.objects.active().select_related("user").order_by("joined_at")
        self.fields["member"].queryset = members  # type: ignore[attr-defined]
        self.fields["member"].initial = by.pk

    def clean_until(self) -> datetime | None:
        """The end of the last day, on the workspace's clock."""
        day = self.cleaned_data["until"]
        if day is None:
            return None
        try:
            ends = datetime.combine(day + timedelta(days=1), time(), self.zone)
            if ends <= self.at:
                raise forms.ValidationError("This day is past.")
        except OverflowError:
            raise forms.ValidationError("This day is too far away.") from None
        return ends


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@allow("business")
def keys_page(request: HttpRequest) -> HttpResponse:
    """List the keys and make one; its secret is in this one answer only."""
    by: Member = request.member  # type: ignore[attr-defined]
    at: datetime = request.at  # type: ignore[attr-defined]
    form = KeyForm(request.POST or None, by=by, at=at)
    made, secret = None, ""
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        made, secret = keys.make_key(
            data["name"], member=data["member"], scopes=data["scopes"], by=by, at=at, expires_at=data["until"]
        )
        form = KeyForm(by=by, at=at)
    listed = ApiKey.objects.filter(revoked_at=None).select_related("member__user").order_by("-created_at")
    context = {"form": form, "made": made, "secret": secret, "listed": listed, "now": at}
    return render(request, "funnel/people/keys.html", context, status=422 if form.errors else 200)


@require_POST
@allow("business")
def revoke(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End a key at once."""
    key = get_object_or_404(ApiKey, pk=pk)
    keys.revoke_key(key, by=request.member, at=request.at)  # type: ignore[attr-defined]
    messages.success(request, f"The key “{key.name}” works no more.")
    return redirect("keys")
