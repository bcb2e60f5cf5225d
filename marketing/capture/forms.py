"""The editor of a form: its words, its questions, what happens then, and where it may be sent from."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.http import QueryDict

from funnel.leads.fields import lines_of
from funnel.leads.models import FieldDefinition
from marketing.campaigns.models import Campaign
from marketing.capture.files import MOST_BYTES
from marketing.capture.models import LEAD_FIELDS, Form, Submission

# What every form may ask, beside the business's own fields.
OWN = {
    "name": ("Your name", "Name"),
    "email": ("E-mail", "E-mail"),
    "phone": ("Phone", "Phone"),
    "company": ("Company", "Company"),
    "interest": ("What are you interested in?", "One of the choices below"),
    "message": ("How can we help?", "Long text"),
}
MOST_INTERESTS, MOST_ORIGINS, MOST_QUESTIONS, LONGEST_LABEL, CAMPAIGNS_OFFERED = 20, 50, 30, 120, 200
ASKS_FOR_CONTACT = (Form.Purpose.CONTACT, Form.Purpose.QUOTE, Form.Purpose.DEMO)


class NewForm(forms.Form):
    """What a form begins with."""

    name = forms.CharField(label="What you call it", max_length=120, help_text="Only you see this name.")
    purpose = forms.ChoiceField(label="What it is for", choices=Form.Purpose.choices, widget=forms.RadioSelect)


class FormEditor(forms.Form):
    """Everything of a form but its questions; those are in Questions."""

    name = forms.CharField(label="What you call it", max_length=120, help_text="Only you see this name.")
    title = forms.CharField(label="Title", max_length=160)
    intro = forms.CharField(
        label="Sentence below it", max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )
    button = forms.CharField(label="Button", max_length=60)
    interests = forms.CharField(
        label="Choices of “interested in”",
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="One per line. Without any, the question is not asked.",
    )
    consent_text = forms.CharField(
        label="Its words",
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Kept word for word with each yes. Never ticked beforehand; without a tick nothing is agreed and "
        "nothing withdrawn. Without words, it is not asked.",
    )
    purpose = forms.ChoiceField(label="What it is for", choices=Form.Purpose.choices)
    at_once = forms.BooleanField(
        label="Hand over to sales at once",
        required=False,
        help_text="Whoever sends it has asked for contact: the score does not matter, the clock starts.",
    )
    campaign: Any = forms.ModelChoiceField(
        label="Counts for",
        queryset=None,
        required=False,
        empty_label="No campaign",
        help_text="Unless the visitor’s link says otherwise.",
    )
    thanks = forms.CharField(label="Thank-you text", max_length=1000, widget=forms.Textarea(attrs={"rows": 2}))
    file = forms.FileField(
        label="File to download then",
        required=False,
        max_length=120,
        help_text="A guide or a price list, up to 25 MB. Only who has sent the form gets the link.",
    )
    no_file = forms.BooleanField(label="Give this file no longer", required=False)
    origins = forms.CharField(
        label="Sites it may be sent from",
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="One address per line, like https://www.example.com. Without any, from all sites.",
    )
    is_open = forms.BooleanField(label="Open: visitors can send it", required=False)

    def __init__(self, *args: Any, form: Form, **kwargs: Any) -> None:
        kwargs["initial"] = {
            **{name: getattr(form, name) for name in self.base_fields if name not in ("file", "no_file")},
            "campaign": form.campaign_id,
            "interests": "\n".join(form.interests),
            "origins": "\n".join(form.origins),
        }
        super().__init__(*args, **kwargs)
        if not form.file_name:
            del self.fields["no_file"]
        latest = Campaign.objects.order_by("-created_at").values_list("pk", flat=True)[:CAMPAIGNS_OFFERED]
        offered = Campaign.objects.filter(pk__in=[*latest, form.campaign_id])
        self.fields["campaign"].queryset = offered.order_by("-created_at")  # type: ignore[attr-defined]

    def clean_file(self) -> Any:
        """The file, if it isn't too big to fetch on a phone."""
        given = self.cleaned_data.get("file")
        if given and given.size > MOST_BYTES:
            raise forms.ValidationError("This file is bigger than 25 MB. Choose a smaller one.")
        return given

    def clean_interests(self) -> list[str]:
        """The choices, each once."""
        lines = lines_of(self.cleaned_data["interests"])
        if len(lines) > MOST_INTERESTS or any(len(line) > 100 for line in lines):
            raise forms.ValidationError("Write at most 20 choices, each up to 100 characters.")
        return lines

    def clean_origins(self) -> list[str]:
        """The sites as browsers name them: scheme, host and port."""
        found = []
        for line in lines_of(self.cleaned_data["origins"]):
            try:
                parts = urlsplit(line if "://" in line else f"https://{line}")
                scheme, host, port = parts.scheme, (parts.hostname or "").encode("idna").decode(), parts.port
            except ValueError:
                scheme, host, port = "", "", None
            safe = all(sign.isalnum() or sign in ".-" for sign in host)
            if scheme not in ("http", "https") or not host or not safe:
                raise forms.ValidationError(f"“{line[:80]}” is not a site. Write it like https://www.example.com.")
            found.append(f"{scheme}://{host}{f':{port}' if port else ''}")
        if len(found) > MOST_ORIGINS:
            raise forms.ValidationError("Write at most 50 sites.")
        return list(dict.fromkeys(found))


class Questions:
    """The questions of a form as its editor shows and changes them, with or without a script."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows, self.errors = rows, list[str]()
        self.own = {f"fields.{one.name}": one for one in FieldDefinition.objects.all()}

    @classmethod
    def posted(cls, data: QueryDict) -> Questions:
        """Read what the editor sent, and do what its button asks: up:NAME, down:NAME, drop:NAME or add."""
        asked = cls([])
        for name in dict.fromkeys(data.getlist("question")):
            asked._ask(name, data.get(f"label-{name}", ""), required=f"need-{name}" in data)
        doing, _, name = data.get("do", "").partition(":")
        if doing == "add":
            asked._ask(data.get("new", ""), "", required=False)
        elif doing in ("up", "down", "drop"):
            asked._move(doing, name)
        if len(asked.rows) > MOST_QUESTIONS:
            asked.errors.append(f"A form asks at most {MOST_QUESTIONS} questions.")
        for label in (row["label"] for row in asked.rows if len(row["label"]) > LONGEST_LABEL):
            asked.errors.append(f"Ask “{label[:40]}…” in at most {LONGEST_LABEL} characters; this has {len(label):,}.")
        names = {row["name"] for row in asked.rows}
        if not names & {"email", "phone"} and not names >= {"name", "company"}:
            asked.errors.append("Ask for an e-mail address or a phone number, or nobody can be answered.")
        return asked

    def _ask(self, name: str, label: str, *, required: bool) -> None:
        usual = self._usual(name)
        if usual is None or any(row["name"] == name for row in self.rows):
            return
        row: dict[str, Any] = {"name": name, "label": " ".join(label.split()) or usual[0], "required": required}
        if own := self.own.get(name):
            # The form keeps the kind beside the question: its page and its POST then need no second look-up.
            row |= {"kind": own.kind, **({"choices": own.choices} if own.choices else {})}
        self.rows.append(row)

    def _usual(self, name: str) -> tuple[str, str] | None:
        if own := self.own.get(name):
            return own.label, f"{own.get_kind_display()}, your field"
        return OWN.get(name)

    def _move(self, doing: str, name: str) -> None:
        place = next((place for place, row in enumerate(self.rows) if row["name"] == name), None)
        if place is None:
            return
        row = self.rows.pop(place)
        if doing != "drop":
            self.rows.insert(max(0, place + (-1 if doing == "up" else 1)), row)

    @property
    def shown(self) -> list[dict[str, Any]]:
        """Each question with what it is, in order."""
        return [{**row, "what": (self._usual(row["name"]) or ("", "This field is gone"))[1]} for row in self.rows]

    @property
    def unused(self) -> list[tuple[str, str]]:
        """What could be asked besides."""
        asked = {row["name"] for row in self.rows}
        return [(name, label) for name, (label, _) in OWN.items() if name not in asked] + [
            (name, one.label) for name, one in self.own.items() if name not in asked
        ]


class CorrectForm(forms.Form):
    """Who a held entry is from, and what no lead could be made of, to be corrected; the worker judges it anew."""

    def __init__(self, *args: Any, submission: Submission, labels: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": f"correct-{submission.pk}-%s", **kwargs})
        for name in dict.fromkeys((*LEAD_FIELDS, *submission.refused)):
            if name in labels:
                self.fields[name] = forms.CharField(
                    label=labels[name], required=False, max_length=2000, initial=submission.typed.get(name, "")
                )

    def sent(self) -> dict[str, str]:
        """The answers that came with the form; a button alone sends none."""
        return {name: said for name, said in self.cleaned_data.items() if name in self.data}
