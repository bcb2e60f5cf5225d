"""What a rep types about a demo, and about the page by which people outside book one."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import QuerySet

from funnel.templatetags.words import day, when
from funnel.workspaces.models import SELLERS, Member, Workspace
from sales.demos.booking import prepare_for
from sales.demos.models import MEETING, BookingPage, Demo
from sales.demos.saying import LinesField, lines_alike
from sales.queue.models import Task

LENGTHS = (15, 20, 30, 45, 60, 90, 120, 180, 240)
GAPS = (0, 10, 15, 30, 60, 90, 120)
FAR = "This is too long ago or too far ahead."
GONE = "On that day the clocks go forward, and this time does not exist. Choose another one."


def moment_on(day: date, hour: time, zone: ZoneInfo) -> datetime | None:
    """The moment of a day and a time on a clock, None where the clock jumps over it.

    Of a time that comes twice, because the clocks go back, it is the first. Raises OverflowError at the ends of the
    calendar.
    """
    local = datetime.combine(day, hour, zone)
    there = local.astimezone(UTC)
    return there if there.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None) else None


def _minutes(values: tuple[int, ...]) -> list[tuple[int, str]]:
    return [(value, f"{value} minutes" if value else "none") for value in values]


def sellers() -> QuerySet[Member]:
    """Those with whom a demo can be booked."""
    found = Member.objects.active().filter(role__in=SELLERS).select_related("user", "workspace")
    return found.order_by("joined_at")


class StepChoice(forms.ModelChoiceField):
    """An open step, with when it is due."""

    def label_from_instance(self, task: Task) -> str:
        """Tell it from another of the same words."""
        return f"{task.what} · {day(task.due_at) if task.all_day else when(task.due_at)}"


class DemoForm(forms.Form):
    """When, how long, where, for owner and manager with whom, and which open step this does."""

    on = forms.DateField(
        label="On", widget=forms.DateInput({"type": "date"}),
        error_messages={"invalid": "Write a date like 2026-11-17."},
    )  # fmt: skip
    hour = forms.TimeField(
        label="At", widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
        error_messages={"invalid": "Write a time like 14:30."},
    )  # fmt: skip
    minutes = forms.TypedChoiceField(label="How long", coerce=int)
    title = forms.CharField(label="What it is", max_length=120)
    place = forms.CharField(
        label="Where", max_length=300, required=False, help_text="An address, or the link of a video call."
    )
    before = LinesField(
        label="What to prepare", max_length=600, required=False, help_text="Stands on their page.",
        widget=forms.Textarea({"rows": 2}),
    )  # fmt: skip
    holder: forms.ModelChoiceField[Member] = forms.ModelChoiceField(
        label="With", queryset=Member.objects.none(), empty_label=None
    )
    done = StepChoice(
        label="Next step that is done with it", queryset=Task.objects.none(), empty_label="None", required=False
    )

    def __init__(
        self, *args: Any, workspace: Workspace, by: Member, steps: QuerySet[Task] | None = None, **kwargs: Any
    ) -> None:
        kwargs.setdefault("auto_id", "demo-%s")
        super().__init__(*args, **kwargs)
        self.workspace = workspace
        lengths = sorted({*LENGTHS, int(self.initial.get("minutes") or LENGTHS[2])})
        self.fields["minutes"].choices = _minutes(tuple(lengths))  # type: ignore[attr-defined]
        if by.leads_others:
            self.fields["holder"].queryset = sellers()  # type: ignore[attr-defined]
            # Whose free times stand beside the form follows the choice.
            self.fields["holder"].widget.attrs = {
                "hx-get": "?", "hx-target": "#free", "hx-select": "#free", "hx-swap": "outerHTML",
            }  # fmt: skip
        else:
            del self.fields["holder"]
        if steps:
            self.fields["done"].queryset = steps  # type: ignore[attr-defined]
        else:
            del self.fields["done"]

    def clean_title(self) -> str:
        """One line, as calendars and subjects show it."""
        return " ".join(self.cleaned_data["title"].split())

    def clean(self) -> dict[str, Any]:
        """Bring day and time together on the business's clock."""
        given = super().clean() or self.cleaned_data
        if given.get("on") and given.get("hour"):
            try:
                begins = moment_on(given["on"], given["hour"], self.workspace.zone)
            except OverflowError:
                # The ends of the calendar have no other time zones any more.
                self.add_error("on", FAR)
                return given
            if begins is None:
                self.add_error("hour", GONE)
            else:
                given["starts_at"] = begins
                given["ends_at"] = begins + timedelta(minutes=given.get("minutes") or 0)
        return given

    def values(self) -> dict[str, Any]:
        """What the verbs take."""
        names = ["starts_at", "ends_at", "title", "place"]
        # A page that stood open from before this was asked takes nothing away.
        names += ["before"] if "before" in self.data else []
        return {name: self.cleaned_data[name] for name in names}

    @staticmethod
    def start(demo: Demo | None, page: BookingPage | None, workspace: Workspace) -> dict[str, Any]:
        """What the fields hold at first: the demo as it is, else what the rep's own page says."""
        if demo is not None:
            local = workspace.local(demo.starts_at)
            return {
                "on": local.date().isoformat(),
                "hour": f"{local:%H:%M}",
                "minutes": int(demo.length.total_seconds() // 60),
                "title": demo.title,
                "place": demo.place,
                "before": lines_alike(prepare_for(demo)),
            }
        if page is None:
            return {"minutes": 30, "title": MEETING}
        return {"minutes": page.minutes, "title": page.title, "place": page.place, "before": page.before}


class BookingPageForm(forms.ModelForm):
    """What the page says, how long a meeting is, and how soon it can be."""

    class Meta:
        model = BookingPage
        fields = ("title", "intro", "minutes", "place", "before", "gap_minutes", "notice_hours", "is_open")
        field_classes = {"intro": LinesField, "before": LinesField}
        labels = {
            "title": "What it is called",
            "intro": "What they get from it",
            "place": "Where",
            "before": "What to prepare",
            "notice_hours": "Not sooner than, in hours from now",
            "is_open": "People can book me here",
        }
        help_texts = {
            "place": "An address, the link of a video call, or words like “At your roof”.",
            "before": "Stands on the page after booking.",
        }
        widgets = {
            "intro": forms.Textarea({"rows": 3}),
            "before": forms.Textarea({"rows": 2}),
            "notice_hours": forms.NumberInput({"min": 0, "max": 240}),
        }

    minutes = forms.TypedChoiceField(label="How long", coerce=int)
    gap_minutes = forms.TypedChoiceField(label="Time kept free around it", coerce=int)
    notice_hours = forms.IntegerField(label="Not sooner than, in hours from now", min_value=0, max_value=240)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", "page-%s")
        super().__init__(*args, **kwargs)
        for name, usual in (("minutes", LENGTHS), ("gap_minutes", GAPS)):
            now = getattr(self.instance, name)
            self.fields[name].choices = _minutes(tuple(sorted({*usual, now})))  # type: ignore[attr-defined]
