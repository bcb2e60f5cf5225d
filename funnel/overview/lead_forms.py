"""What a person types on a lead's page."""

from __future__ import annotations

from typing import Any

from django import forms

from funnel.handoff.passing import WRITE_WHY
from funnel.leads.fields import LONGEST
from funnel.leads.models import FieldDefinition, Lead
from funnel.overview.lead import shown_phone
from funnel.workspaces.models import SELLERS, Member

PLAIN = (("name", "Name", 200), ("email", "E-mail", 254), ("phone", "Phone", 60), ("company", "Company", 200))


class NoteForm(forms.Form):
    """A note on the timeline."""

    note = forms.CharField(
        label="Note",
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": "Write the note first."},
    )


class WhyForm(forms.Form):
    """Why something is taken back or set aside."""

    reason = forms.CharField(label="Why", max_length=300, error_messages={"required": "Say why in a few words."})


class PassForm(forms.Form):
    """To whom a lead goes, and why."""

    to = forms.ChoiceField(label="To", error_messages={"required": "Choose somebody."})
    reason = forms.CharField(label="Why", max_length=500, error_messages={"required": WRITE_WHY})

    def __init__(self, *args: Any, without: Member | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = Member.objects.active().filter(role__in=SELLERS).select_related("user").order_by("joined_at")
        self.people = {str(one.pk): one for one in people if one != without}
        self.fields["to"].choices = [("", "Choose somebody"), *((pk, one.name) for pk, one in self.people.items())]  # type: ignore[attr-defined]

    @property
    def member(self) -> Member:
        """The member who was chosen."""
        return self.people[self.cleaned_data["to"]]


class BringBackForm(forms.Form):
    """With whom a lead goes on that was set aside: marketing, oneself, or for a leader anybody who sells."""

    to = forms.ChoiceField(label="They go on with", required=False)

    def __init__(self, *args: Any, by: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sellers = Member.objects.active().filter(role__in=SELLERS).select_related("user").order_by("joined_at")
        self.people = {str(one.pk): one for one in (sellers if by.leads_others else sellers.filter(pk=by.pk))}
        named = ((pk, "You" if one == by else one.name) for pk, one in self.people.items())
        self.fields["to"].choices = [("", "Marketing, until they are ready"), *named]  # type: ignore[attr-defined]

    @property
    def member(self) -> Member | None:
        """The member who was chosen; None is marketing."""
        return self.people.get(self.cleaned_data["to"])


class EditForm(forms.Form):
    """What we know of a lead; a field left empty keeps what it had. The verb judges the values."""

    def __init__(self, *args: Any, lead: Lead, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = {"name": lead.name, "email": lead.email, "phone": "", "company": lead.company_name}
        self.phone = lead.phone
        if lead.phone:
            known["phone"] = shown_phone(lead.phone, lead.workspace.country)
        for name, label, longest in PLAIN:
            self.fields[name] = forms.CharField(label=label, required=False, max_length=longest, initial=known[name])
        self.fields["email"].widget.input_type = "email"
        self.fields["phone"].widget.input_type = "tel"
        self.own = {f"own-{one.pk}": one for one in FieldDefinition.objects.all()}
        for key, definition in self.own.items():
            self.fields[key] = _own_field(definition, lead.fields.get(definition.name))

    def changes(self) -> dict[str, Any]:
        """What was typed, as `leads.edit` takes it."""
        own = {one.name: self.cleaned_data[key] for key, one in self.own.items() if self.cleaned_data[key] != ""}
        plain = {name: self.cleaned_data[name] for name, _, _ in PLAIN}
        if "phone" not in self.changed_data:
            plain["phone"] = self.phone  # as it is kept, not as it is shown
        return plain | {"fields": own}

    def show(self, errors: dict[str, str]) -> None:
        """Put a verb's sentences at their fields."""
        own = {f"fields.{one.name}": key for key, one in self.own.items()}
        for name, sentence in errors.items():
            key = own.get(name, name)
            self.add_error(key if key in self.fields else None, sentence)


def _own_field(definition: FieldDefinition, value: Any) -> forms.Field:
    kind = FieldDefinition.Kind
    given: dict[str, Any] = {"label": definition.label, "required": False, "initial": value}
    if definition.kind == kind.YES_NO:
        given["initial"] = {True: "yes", False: "no"}.get(value, "")
        return forms.ChoiceField(choices=[("", "Not known"), ("yes", "Yes"), ("no", "No")], **given)
    if definition.kind == kind.CHOICE:
        return forms.ChoiceField(
            choices=[("", "Not known"), *((str(one), str(one)) for one in definition.choices)], **given
        )
    widget: forms.Widget = forms.TextInput(attrs={"inputmode": "decimal"} if definition.kind == kind.NUMBER else {})
    if definition.kind == kind.DATE:
        widget = forms.DateInput(attrs={"type": "date"})
    elif definition.kind == kind.TEXT and value and (len(value) > 80 or "\n" in value):
        widget = forms.Textarea(attrs={"rows": 3})
    return forms.CharField(max_length=LONGEST, widget=widget, **given)
