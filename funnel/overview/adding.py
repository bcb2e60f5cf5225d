"""Add a lead by hand: the caller on the line, a card from the fair; with a warning where we may know them already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from funnel.handoff import actions as handoff
from funnel.leads import actions as leads
from funnel.leads.fields import FieldBook
from funnel.leads.identity import Capture, Refused, clean
from funnel.leads.models import FieldDefinition, Lead, LeadKey
from funnel.leads.receiving import receive
from funnel.overview.rows import Row, rows_of
from funnel.workspaces.models import SELLERS, Member, Role
from funnel.workspaces.refusals import Forbidden, Refusal
from funnel.workspaces.roles import allow, may
from funnel.workspaces.slots import slot

# Nobody compares more than a few by eye.
ALIKE = 5
OWN = "own-"


class LeadForm(forms.Form):
    """What one knows of somebody; at least a way to reach them, or a name with a company."""

    name = forms.CharField(label="Name", required=False, max_length=200)
    email = forms.CharField(label="E-mail", required=False, max_length=254)
    phone = forms.CharField(label="Phone", required=False, max_length=60)
    company = forms.CharField(label="Company", required=False, max_length=200)
    channel = forms.ChoiceField(label="How they found us", required=False)
    campaign = forms.CharField(label="Campaign", required=False, max_length=120)
    note = forms.CharField(label="Note", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))
    keep = forms.BooleanField(
        label="Keep it as mine",
        required=False,
        help_text="Else it is scored, and handed over by turn when it is ready.",
    )

    def __init__(self, *args: Any, member: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channels, self.campaigns = _origins()
        self.fields["channel"].choices = [("", "Not known"), *channels]  # type: ignore[attr-defined]
        self.fields["campaign"].widget.attrs["list"] = "campaigns"
        for name, kind in (("email", "email"), ("phone", "tel")):
            self.fields[name].widget.attrs |= {"inputmode": kind, "autocomplete": "off"}
        self.fields["name"].widget.attrs["autofocus"] = True
        if member.role not in SELLERS:
            del self.fields["keep"]
        else:
            self.fields["keep"].initial = member.role == Role.REP
        self.own = [_own(definition) for definition in FieldDefinition.objects.all()]
        for name, own in self.own:
            self.fields[OWN + name] = own

    def own_fields(self) -> list[forms.BoundField]:
        """The business's own fields, to be drawn after the shipped ones."""
        return [self[OWN + name] for name, _ in self.own]

    def capture(self, at: datetime) -> Capture:
        """The form as what it says of a person."""
        given = self.cleaned_data
        return Capture(
            **{name: given[name] for name in ("name", "email", "phone", "company", "channel", "campaign")},
            occurred_at=at,
            fields={name: given[OWN + name] for name, _ in self.own if given[OWN + name]},
            overwrite=True,
            handover=not given.get("keep"),
        )

    def refuse(self, errors: dict[str, str]) -> None:
        """Put the sentences of a refusal at their fields."""
        for name, sentence in errors.items():
            field = OWN + name[7:] if name.startswith("fields.") else name.removeprefix("source.")
            self.add_error(field if field in self.fields else None, sentence)


def _own(definition: FieldDefinition) -> tuple[str, forms.Field]:
    if definition.kind in (FieldDefinition.Kind.CHOICE, FieldDefinition.Kind.YES_NO):
        listed = definition.choices if definition.choices else ["Yes", "No"]
        choices = [("", "Not known"), *((str(one), str(one)) for one in listed)]
        return definition.name, forms.ChoiceField(label=definition.label, required=False, choices=choices)
    attrs = {"type": "date"} if definition.kind == FieldDefinition.Kind.DATE else {}
    return definition.name, forms.CharField(
        label=definition.label, required=False, max_length=2000, widget=forms.TextInput(attrs=attrs)
    )


def _origins() -> tuple[list[tuple[str, str]], list[str]]:
    """The channels (key, name) and campaigns that the wings know."""
    channels: list[tuple[str, str]] = []
    campaigns: list[str] = []
    for origins in slot("origins"):
        known, named = origins()
        channels += known
        campaigns += named
    return channels, campaigns


@dataclass(slots=True)
class Alike:
    """A lead that may be the same person: why we think so, and what may be done with it.

    `same` says that its keys are theirs, so that saving would find it whatever anybody says.
    """

    row: Row
    why: str
    same: bool
    may_add: bool


def alike(capture: Capture, member: Member, *, at: datetime) -> list[Alike]:
    """Those who share an e-mail address, a phone, or a name and company with a cleaned capture."""
    why: dict[UUID, tuple[str, bool]] = {}
    found = LeadKey.objects.none()
    for kind, value in capture.keys:
        found = found | LeadKey.objects.filter(kind=kind, value=value)
    mine = {value for kind, value in capture.keys if kind == LeadKey.Kind.EMAIL}
    for key in found.order_by("kind", "id")[: ALIKE * 2]:
        if key.kind == LeadKey.Kind.EMAIL:
            why[key.lead_id] = ("The same e-mail address", True)
        elif key.lead_id not in why:
            other = mine and LeadKey.objects.filter(lead=key.lead_id, kind=LeadKey.Kind.EMAIL).exists()
            why[key.lead_id] = ("The same phone number", not other)
    if capture.name and capture.company:
        named = Lead.objects.found_by(f"{capture.name} {capture.company}").filter(
            name__iexact=capture.name, company_name__iexact=capture.company
        )
        for pk in named.values_list("pk", flat=True)[:ALIKE]:
            why.setdefault(pk, ("The same name and company", False))
    ids = list(why)[:ALIKE]
    known = list(Lead.objects.filter(pk__in=ids).select_related("holder__user")) if ids else []
    changeable = set(Lead.objects.changeable_by(member).filter(pk__in=ids).values_list("pk", flat=True))
    rows = rows_of(known, at=at, workspace=member.workspace, may_go=may(member, "leads.go"))
    return [Alike(row, *why[row.lead.pk], row.lead.pk in changeable) for row in rows]


class NotTheirs(Forbidden):
    """A rep may not write into somebody else's lead."""


@require_http_methods(["GET", "HEAD", "POST"])
@allow("leads.change")
def add(request: Any) -> HttpResponse:
    """The form, the warning, and the lead that was made."""
    member, at = request.member, request.at
    form = LeadForm(request.POST if request.method == "POST" else None, member=member)
    known: list[Alike] = []
    if request.method == "POST" and form.is_valid():
        capture = form.capture(at)
        try:
            clean(capture, region=request.workspace.country, book=FieldBook(), at=at)
        except Refused as refused:
            form.refuse(refused.errors)
        else:
            known = alike(capture, member, at=at)
            same, other = request.POST.get("same", ""), bool(request.POST.get("other"))
            if same and (chosen := next((one for one in known if str(one.row.lead.pk) == same), None)):
                try:
                    return redirect("lead", _into(chosen, capture, form, member, at).pk)
                except Refusal as refusal:
                    form.add_error(None, refusal.sentence)
            elif not known or (other and not any(one.same for one in known)):
                lead = _make(capture, form, member, at)
                messages.success(request, f"{lead} is added{', and with you' if lead.holder_id else ''}.")
                return redirect("lead", lead.pk)
    return render(
        request,
        "funnel/overview/add.html",
        {
            "form": form,
            "known": known,
            "may_be_other": known and not any(one.same for one in known),
        },
        status=200 if request.method != "POST" else 409 if known else 422,
    )


def _into(chosen: Alike, capture: Capture, form: LeadForm, member: Member, at: datetime) -> Lead:
    """Write what the form says into a lead that was there."""
    lead = get_object_or_404(Lead, pk=chosen.row.lead.pk)
    if not chosen.may_add:
        raise NotTheirs("This lead is with somebody else. Tell them what you know of it.")
    if chosen.same:
        receive(member.workspace, [capture], at=at, by=member)
    else:
        said = {
            name: getattr(capture, name) for name in ("name", "email", "phone", "company") if getattr(capture, name)
        }
        leads.edit(lead, {**said, "fields": capture.fields}, by=member, at=at)
    _note(lead, form, member, at)
    return lead


def _make(capture: Capture, form: LeadForm, member: Member, at: datetime) -> Lead:
    (result,) = receive(member.workspace, [capture], at=at, by=member)
    if result.lead is None:
        raise Refused(result.refused)
    lead = result.lead
    _note(lead, form, member, at)
    if form.cleaned_data.get("keep") and result.created:
        lead = handoff.keep(lead, by=member, at=at)
    return lead


def _note(lead: Lead, form: LeadForm, member: Member, at: datetime) -> None:
    if words := form.cleaned_data["note"].strip():
        leads.touch(lead, "note", at=at, by=member, data={"note": words})
