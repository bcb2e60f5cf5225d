"""What somebody types who changes the rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from funnel.leads.fields import lines_of
from funnel.leads.models import FieldDefinition
from funnel.outbox.kinds import KINDS
from funnel.scoring.checking import rule_mistakes
from funnel.scoring.models import BANDS
from funnel.scoring.rules import (
    CONDITIONS,
    OWN,
    STANDARD,
    as_dialled,
    as_kept,
    choices_of,
    fits,
    own_of,
    shipped_sets,
)
from funnel.workspaces.slots import slot

# Touches by people here say nothing of what the lead wants.
THEIRS = [(key, kind.label) for key, kind in KINDS.items() if kind.touch and key not in ("call_made", "note")]
ASKED = {when: says.removesuffix(" {}").removesuffix(" “{}”") for when, says in CONDITIONS.items()}
ASKED |= {"range": "lies between"}
# What each is compared with: a part of the form, and of a field with choices one or many.
TAKES = {
    "is": {"takes": "value", "picks": "one"},
    "one_of": {"takes": "value", "picks": "many"},
    "contains": {"takes": "value"},
    "range": {"takes": "range"},
}
PROGRAM = "program"
# What is said where several lines are written for what takes one.
SINGLE = {
    "is": "Write one value here. For several, one per line, choose “is one of”.",
    "contains": "Write one thing here, on one line. For another, add a rule.",
}
NUMBER = {"invalid": "Write a whole number.", "required": "Write a whole number."}


def seen_of(part: Any) -> str:
    """What stands in a form for what it was filled from, so that an older page is told from the one of now."""
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:16]


class Telling(forms.Select):
    """A select whose options tell more than their words, by value: what a field can be asked, what that needs."""

    def __init__(self, told: Mapping[str, Mapping[str, str]] | None = None, **attrs: Any) -> None:
        super().__init__({name.strip("_").replace("_", "-"): one for name, one in attrs.items()})
        self.told = told or {}

    def create_option(self, name: str, value: Any, *rest: Any, **more: Any) -> dict[str, Any]:
        """Give an option with what it tells, for narrow.js."""
        option: dict[str, Any] = super().create_option(name, value, *rest, **more)
        option["attrs"] |= {f"data-{key}": said for key, said in self.told.get(value, {}).items()}
        return option


def tells(asked: Iterable[str], choices: Iterable[str]) -> dict[str, str]:
    """What the option of a field tells: what it can be asked, and what alone can stand in it."""
    return {"asked": " ".join(asked), "choices": "\n".join(choices)}


class RuleForm(forms.Form):
    """What both kinds of rules have; `rule` is the rule as it was typed."""

    # The others that aren't required are needed by some of what can be chosen above them.
    may_stay_empty = ("page", "cap", "group", "reason")

    points = forms.IntegerField(
        label="Points", error_messages=NUMBER, help_text="Below zero they are taken away.", widget=forms.TextInput
    )
    group = forms.CharField(
        label="Under the heading", max_length=60, required=False,
        help_text="Rules with the same heading stand together. Empty: under the usual one.",
    )  # fmt: skip
    reason = forms.CharField(label="Why we count it", max_length=200, required=False)

    def __init__(self, *args: Any, fields: dict[str, FieldDefinition], country: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known, self.country = fields, country

    def clean(self) -> dict[str, Any]:
        """Judge the rule as a whole, each mistake at its place."""
        given = super().clean() or {}
        if self.errors:
            return given
        self.rule = self.made(given)
        for name, says in rule_mistakes(self.rule, self.known).items():
            self.add_error(self.place(name), says)
        return given

    def made(self, given: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def place(self, name: str) -> str:
        return name


class FitForm(RuleForm):
    """A rule over what we know of somebody."""

    field = forms.ChoiceField(
        label="What we know", error_messages={"required": "Choose what we know of them."},
        widget=Telling(data_narrows=True),
    )  # fmt: skip
    when = forms.ChoiceField(
        label="What it is to be", choices=list(ASKED.items()), widget=Telling(TAKES, data_when=True)
    )
    value = forms.CharField(
        label="Compared with", required=False, max_length=8000, strip=True,
        widget=forms.Textarea(attrs={"rows": 2, "data-part": "value"}), help_text="For “is one of” one per line.",
    )  # fmt: skip
    low = forms.CharField(
        label="Between", required=False, max_length=40, widget=forms.TextInput(attrs={"data-part": "range"})
    )
    high = forms.CharField(
        label="and", required=False, max_length=40, widget=forms.TextInput(attrs={"data-part": "range"}),
        help_text="One of the two may stay empty. Dates like 2026-11-17.",
    )  # fmt: skip
    field_order = ("field", "when", "value", "low", "high", "points", "group", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = STANDARD | {OWN + name: one.label for name, one in self.known.items()}
        self.fields["field"].choices = [("", "Choose"), *names.items()]  # type: ignore[attr-defined]
        self.fields["field"].widget.told = {
            field: tells((when for when in CONDITIONS if fits(when, field, own)), choices_of(own))
            for field in names
            for own in (own_of(field, self.known),)
        }

    def made(self, given: dict[str, Any]) -> dict[str, Any]:
        rule = {name: given[name] for name in ("field", "when", "points", "group", "reason")}
        own, written = own_of(given["field"], self.known), " ".join(given["value"].split())
        if given["when"] == "one_of":
            rule["value"] = [self.kept(one, given["field"], own) for one in lines_of(given["value"])]
        elif given["when"] == "is":
            rule["value"] = self.kept(written, given["field"], own)
        elif given["when"] == "contains":
            rule["value"] = as_dialled(written, self.country, part=True) if given["field"] == "phone" else written
        elif given["when"] == "range":
            ends = (("from", given["low"]), ("to", given["high"]))
            rule["value"] = {name: as_kept(end, own) for name, end in ends if end}
        return rule

    def kept(self, text: str, field: str, own: FieldDefinition | None) -> str:
        """A typed value as leads have it."""
        return as_dialled(text, self.country) if field == "phone" else as_kept(text, own)

    def clean(self) -> dict[str, Any]:
        """Ask for the field first: what it is to be is chosen of what it can be."""
        if "field" in self.errors:
            self.errors.pop("when", None)
        given = self.cleaned_data
        if given.get("when") in SINGLE and len(lines_of(given.get("value", ""))) > 1:
            self.add_error("value", SINGLE[given["when"]])
        return super().clean()

    def place(self, name: str) -> str:
        return "low" if name == "value" and self.cleaned_data.get("when") == "range" else name

    @staticmethod
    def initial_of(rule: dict[str, Any]) -> dict[str, Any]:
        """A rule as the form shows it."""
        value: Any = rule.get("value")
        shown = {**rule, "value": "\n".join(value) if isinstance(value, list) else value}
        if rule["when"] == "range":
            shown |= {"value": "", "low": value.get("from", ""), "high": value.get("to", "")}
        return shown


class EventForm(RuleForm):
    """A rule over what somebody does."""

    kind = forms.ChoiceField(
        label="What they do", error_messages={"required": "Choose what they do."},
        choices=[("", "Choose"), *THEIRS, (PROGRAM, "Something that a program of ours reports")],
        widget=Telling({PROGRAM: {"takes": "named"}}, data_when=True),
    )  # fmt: skip
    named = forms.SlugField(
        label="As the program calls it", required=False, max_length=40, help_text="Only for what a program reports.",
        widget=forms.TextInput(attrs={"data-part": "named"}),
        error_messages={"invalid": "Use letters, digits, - and _, as the program does."},
    )  # fmt: skip
    page = forms.CharField(
        label="On a page whose address has", required=False, max_length=200,
        help_text="Such as /prices; * stands for anything.",
    )  # fmt: skip
    channel = forms.ChoiceField(label="Came by", required=False)
    campaign = forms.ChoiceField(label="From the campaign", required=False)
    cap = forms.IntegerField(
        label="Most points a day", required=False, error_messages=NUMBER, widget=forms.TextInput,
        help_text="Empty: no limit.",
    )  # fmt: skip
    field_order = ("kind", "named", "page", "channel", "campaign", "points", "cap", "group", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channels: list[tuple[str, str]] = []
        campaigns: list[str] = []
        for origins in slot("origins"):
            known, named = origins()
            channels, campaigns = channels + known, campaigns + named
        before = (kwargs.get("initial") or {}).get("campaign")
        if before:
            campaigns = [before, *(one for one in campaigns if one.casefold() != before.casefold())]
        self.fields["channel"].choices = [("", "Any way"), *channels]  # type: ignore[attr-defined]
        self.fields["campaign"].choices = [("", "Any"), *((one, one) for one in campaigns)]  # type: ignore[attr-defined]

    def made(self, given: dict[str, Any]) -> dict[str, Any]:
        rule = {name: given[name] for name in ("points", "group", "reason")}
        rule["kind"] = given["named"] if given["kind"] == PROGRAM else given["kind"]
        return rule | {
            name: given[name] for name in ("page", "channel", "campaign", "cap") if given[name] not in ("", None)
        }

    def clean_named(self) -> str:
        """Judge the name of what a program reports, where it is one; what Baton writes itself is no touch."""
        named: str = self.cleaned_data["named"]
        if self.cleaned_data.get("kind") == PROGRAM:
            if not named:
                raise forms.ValidationError("Write what the program calls it.")
            if named in KINDS and not KINDS[named].touch:
                raise forms.ValidationError("Baton calls something of its own so; let the program call it otherwise.")
        return named

    @staticmethod
    def initial_of(rule: dict[str, Any]) -> dict[str, Any]:
        """A rule as the form shows it."""
        theirs = rule["kind"] in dict(THEIRS)
        return {**rule, "kind": rule["kind"] if theirs else PROGRAM, "named": "" if theirs else rule["kind"]}


class LinesForm(forms.Form):
    """Where the bands begin, and how fast points fade."""

    half_life_days = forms.IntegerField(
        label="Points lose half their value every", error_messages=NUMBER, help_text="In days.", widget=forms.TextInput
    )
    fit_a = forms.IntegerField(label="Fit A from", error_messages=NUMBER, widget=forms.TextInput)
    fit_b = forms.IntegerField(label="Fit B from", error_messages=NUMBER, widget=forms.TextInput)
    fit_c = forms.IntegerField(label="Fit C from", error_messages=NUMBER, widget=forms.TextInput)
    cut_2 = forms.IntegerField(label="Engagement 2 from", error_messages=NUMBER, widget=forms.TextInput)
    cut_3 = forms.IntegerField(label="Engagement 3 from", error_messages=NUMBER, widget=forms.TextInput)
    cut_4 = forms.IntegerField(label="Engagement 4 from", error_messages=NUMBER, widget=forms.TextInput)

    @staticmethod
    def initial_of(rules: dict[str, Any]) -> dict[str, Any]:
        """The lines of a set of rules as the form shows them."""
        cuts = {f"cut_{place}": cut for place, cut in enumerate(rules["engagement_cuts"], start=2)}
        fits = {f"fit_{band.lower()}": line for band, line in rules["fit_bands"].items()}
        return {"half_life_days": rules["half_life_days"], **fits, **cuts}

    def changes(self) -> dict[str, Any]:
        """What of the rules these lines are."""
        given = self.cleaned_data
        return {
            "half_life_days": given["half_life_days"],
            "fit_bands": {band: given[f"fit_{band.lower()}"] for band in BANDS[:-1]},
            "engagement_cuts": [given[f"cut_{place}"] for place in (2, 3, 4)],
        }


class SetForm(forms.Form):
    """A ready-made set to start from."""

    key = forms.ChoiceField(
        label="Start from", error_messages={"required": "Choose one.", "invalid_choice": "Choose one."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sets = shipped_sets()
        self.fields["key"].choices = [(key, one["name"]) for key, one in self.sets.items()]  # type: ignore[attr-defined]


class PublishForm(forms.Form):
    """From when a version counts, and why it is made."""

    again = forms.ChoiceField(choices=[("", "From now on"), ("yes", "Judge the past again")], required=False)
    why = forms.CharField(label="What changed and why, for the list of versions", max_length=200, required=False)
