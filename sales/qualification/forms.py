"""The questions as a form: met or not, and in whose words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django import forms
from django.forms import BoundField

from sales.qualification.actions import Said, Standing
from sales.qualification.models import Met
from sales.qualification.offers import Offer

NOTE = 1000


class AnswersForm(forms.Form):
    """One choice and one note per question; the latest words that were said already stand in the empty notes."""

    overrule = forms.CharField(
        label="Qualify all the same, because", required=False, max_length=300, help_text="What is missing stays shown."
    )

    def __init__(
        self, *args: Any, standings: Sequence[Standing], offers: Mapping[str, list[Offer]], **also: Any
    ) -> None:
        super().__init__(*args, **{"auto_id": "ask-%s", **also})
        self.standings, self.offers = standings, offers
        for one in standings:
            key, label, answer = one.question.key, one.question.label, one.answer
            self.fields[f"met-{key}"] = forms.ChoiceField(
                label=label, choices=Met.choices, required=False, initial=one.met
            )
            self.fields[f"note-{key}"] = forms.CharField(
                label=f"{label}, in their words",
                required=False,
                max_length=NOTE,
                initial=answer.note if answer else next((each.words for each in offers.get(key, ())), ""),
            )

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each question with its two fields, and where the words in its note are from."""
        for one in self.standings:
            key, offered = one.question.key, self.offers.get(one.question.key, [])
            note: BoundField = self[f"note-{key}"]
            stands = str(note.value() or "")
            origin = one.answer.origin if one.answer and one.answer.note == stands else ""
            origin = origin or next((each.origin for each in offered if each.words == stands), "")
            yield {
                "standing": one,
                "met": self[f"met-{key}"],
                "note": note,
                "origin": origin,
                "offers": [each for each in offered if each.words != stands],
            }

    def said(self) -> dict[str, Said]:
        """What was answered; a note that was left as it was offered keeps its origin."""
        told = {}
        for one in self.standings:
            key = one.question.key
            note = " ".join(self.cleaned_data[f"note-{key}"].split())
            met = Met(self.cleaned_data[f"met-{key}"] or Met.UNKNOWN)
            offered = next((each for each in self.offers.get(key, ()) if each.words == note), None)
            if one.answer is None and met == Met.UNKNOWN and offered is not None:
                continue  # nobody has judged what was only offered
            kept = one.answer.origin if one.answer and one.answer.note == note else ""
            told[key] = Said(met, note, offered.origin if offered else kept)
        return told
