"""The question a rep answers when giving a lead back, and what a reason for that says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import cached_property

from funnel.handoff.actions import NO_DAY, ends_with_a_day
from funnel.handoff.models import GiveBackReason, Way
from funnel.handoff.reasons import OFFERED
from funnel.handoff.wayback import TOUCHES, follows, touch_words
from funnel.leads.models import Lead
from funnel.leads.stages import Stage
from funnel.workspaces.hours import opening
from funnel.workspaces.slots import slot

# A promise further away than this is a slip of the keyboard.
FAR = 366 * 5


REASON = {"required": "Choose a reason.", "invalid_choice": "This reason is not there any more. Choose another."}


class GiveBackForm(forms.Form):
    """One of the business's reasons, the promised day where there is one, and a note."""

    reason = forms.ChoiceField(label="Why", widget=forms.RadioSelect, error_messages=REASON)
    until = forms.DateField(
        label="Call again on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"invalid": "Write a date like 2026-11-17."},
    )
    note = forms.CharField(
        label="Note for marketing",
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, lead: Lead, at: datetime, reasons: list[Any] | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", "give-%s")
        super().__init__(*args, **kwargs)
        self.lead, self.at = lead, at
        self.reasons = OFFERED.rows() if reasons is None else reasons
        self.fields["reason"].choices = [(one.key, one.name) for one in self.reasons]  # type: ignore[attr-defined]

    @cached_property
    def no_mails(self) -> str:
        """Why the lead would get no nurture mails by any reason; blank where it would, or no reason promises any."""
        if not any(one.nurtures for one in self.reasons):
            return ""
        why: str = slot("no_nurture")[0](self.lead)
        return why

    @property
    def told(self) -> list[tuple[Any, str]]:
        """The reasons, each with what follows from it for this lead."""
        customer = self.lead.stage == Stage.CUSTOMER
        return [(one, follows(one, mails=not self.no_mails, customer=customer)) for one in self.reasons]

    def clean(self) -> dict[str, Any]:
        """Turn the chosen key into its reason and the day into the moment at which it opens; a day must be to come."""
        given = super().clean() or self.cleaned_data
        reason = next((one for one in self.reasons if one.key == given.get("reason")), None)
        day = given.get("until")
        if reason is None:
            return given
        given["reason"] = reason
        given["until"] = None
        if "until" in self.errors:
            return given
        today = timezone.localdate()
        if day is None:
            if reason.asks_date:
                self.add_error("until", NO_DAY)
        elif reason.disqualifies:
            self.add_error("until", ends_with_a_day(reason))
        elif day <= today:
            self.add_error("until", "Choose a day after today.")
        elif (day - today).days > FAR:
            self.add_error("until", "Choose a day within the next five years.")
        else:
            given["until"] = opening(self.lead.workspace, day)
        return given


class ReasonForm(forms.ModelForm):
    """A reason: its words, what brings them back, and how long marketing has them. The verb judges the values."""

    ends = forms.ChoiceField(
        label="What becomes of them",
        choices=[("", "They stay with marketing, and may come back"), ("yes", "It ends: they are not a fit")],
        required=False,
        widget=forms.RadioSelect,
        initial="",
    )
    way = forms.ChoiceField(
        label="They come back", choices=Way.choices, widget=forms.RadioSelect, required=False, initial=Way.JUDGED
    )
    above = forms.IntegerField(
        label="Engagement to reach", required=False, help_text="Only where engagement brings them back."
    )
    touch = forms.ChoiceField(
        label="What they do",
        choices=[("", "Choose"), *((kind, touch_words(kind)) for kind in TOUCHES)],
        required=False,
        help_text="Only where one thing does. “Asked to be contacted” includes asking for a demo or a quote.",
    )
    cool_days = forms.IntegerField(
        label="Days with marketing, at least", required=False, help_text="Meanwhile only asking for contact ends it."
    )
    nurtures = forms.BooleanField(label="They get the nurture mails, if they agreed to mail", required=False)

    class Meta:
        model = GiveBackReason
        fields = ("name", "way", "above", "touch", "cool_days", "nurtures")
        labels = {"name": "The reason, as the rep reads it"}
        error_messages = {"name": {"required": "Write the reason."}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["ends"] = "yes" if self.instance.disqualifies else ""

    def clean(self) -> dict[str, Any]:
        """What was left open is as a new reason has it."""
        given = super().clean() or self.cleaned_data
        given["way"] = given.get("way") or Way.JUDGED
        given["cool_days"] = 0 if given.get("cool_days") is None else given["cool_days"]
        self.instance.disqualifies = given.get("ends") == "yes"
        return given
