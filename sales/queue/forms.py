"""What a rep types at the desk."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from funnel.mail.actions import why_none
from funnel.workspaces.hours import opening
from funnel.workspaces.models import Workspace
from sales.queue.actions import NextStep
from sales.queue.models import CallOutcome, Task

REMIND = (("due", "When it is due"), ("hour", "An hour before"), ("day", "A day before"), ("", "Not at all"))
# A step further away than this is a slip of the keyboard.
FAR = 366 * 5
USUAL = "Call again"


class NextStepForm(forms.Form):
    """What is to be done next, on which day, perhaps at what time, and when to be reminded."""

    what = forms.CharField(label="Next step", max_length=300, required=False)
    on = forms.DateField(
        label="On",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"invalid": "Write a date like 2026-11-17."},
    )
    hour = forms.TimeField(
        label="At",
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}),
        error_messages={"invalid": "Write a time like 14:30."},
    )
    remind = forms.ChoiceField(label="Mail me", choices=REMIND, required=False, initial="due")
    needed = True

    def __init__(self, *args: Any, workspace: Workspace, at: datetime, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", "step-%s")
        super().__init__(*args, **kwargs)
        self.workspace, self.at = workspace, at
        self.fields["what"].widget.attrs["list"] = "usual-steps"
        self.fields["on"].widget.attrs["min"] = timezone.localdate().isoformat()
        if none := why_none(workspace):
            self.fields["remind"].help_text = f"{none}. The step stands on your desk all the same."
        self.step: NextStep | None = None

    def clean(self) -> dict[str, Any]:
        """Build the step; a day must be to come, and a step needs its day."""
        given = super().clean() or self.cleaned_data
        what, day, hour = given.get("what"), given.get("on"), given.get("hour")
        if not (self.needed or what or day or hour) or {"what", "on", "hour"} & set(self.errors):
            return given
        if day is None:
            self.add_error("on", "Choose the day.")
            return given
        if self.needed and not what:
            self.add_error("what", "Say what is to be done.")
            return given
        due_at = self._due(day, hour)
        if due_at <= self.at:
            self.add_error(
                "hour" if hour and day == timezone.localdate() else "on", "This has passed; choose a later one."
            )
        elif due_at > self.at + timedelta(days=FAR):
            self.add_error("on", "Choose a day within the next five years.")
        else:
            remind_at = self._remind(given.get("remind", ""), due_at, all_day=hour is None)
            self.step = NextStep(what or USUAL, due_at, hour is None, remind_at)
        return given

    def _due(self, day: Any, hour: time | None) -> datetime:
        """The moment on the business's clock; an hour that the clocks skip is an hour later."""
        return datetime.combine(day, hour or time(23, 59), self.workspace.zone)

    def _remind(self, when: str, due_at: datetime, *, all_day: bool) -> datetime | None:
        """The moment of the reminder; what would have been in the past is at the due time, or not at all for a day."""
        if not when:
            return None
        if all_day:
            morning = opening(self.workspace, (due_at - timedelta(days=when == "day")).date())
            return morning if morning > self.at else None
        before = {"hour": timedelta(hours=1), "day": timedelta(days=1)}.get(when, timedelta())
        return due_at - before if due_at - before > self.at else due_at


class MoveForm(NextStepForm):
    """On which day a step is to be done instead, perhaps at what time."""

    def __init__(self, *args: Any, task: Task, **kwargs: Any) -> None:
        on = timezone.localtime(task.due_at)
        kwargs.setdefault("auto_id", f"move-{task.pk}-%s")
        kwargs.setdefault("initial", {"on": on.date().isoformat(), "hour": None if task.all_day else f"{on:%H:%M}"})
        super().__init__(*args, **kwargs)
        self.task = task
        del self.fields["what"]

    def clean(self) -> dict[str, Any]:
        """The step keeps its words."""
        self.cleaned_data["what"] = self.task.what
        return super().clean()


class CallForm(NextStepForm):
    """How a call ended, a note, what it settled, and what comes then."""

    outcome = forms.ChoiceField(
        label="How did it go?",
        choices=CallOutcome.choices,
        error_messages={"required": "Choose how the call went.", "invalid_choice": "Choose how the call went."},
        widget=forms.RadioSelect,
    )
    note = forms.CharField(label="Note", required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 2}))
    needed = False

    def __init__(self, *args: Any, tasks: list[Task], **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", "call-%s")
        super().__init__(*args, **kwargs)
        self.tasks = tasks

    @property
    def settled(self) -> list[Task]:
        """The open steps of this lead that were ticked."""
        ticked = set(self.data.getlist("done")) if hasattr(self.data, "getlist") else set()
        return [task for task in self.tasks if str(task.pk) in ticked]

    @property
    def ticked(self) -> set[int]:
        """Which steps stand ticked: what was sent, else those that are due by the end of today."""
        if self.is_bound:
            return {task.pk for task in self.settled}
        tomorrow = timezone.localtime(self.at).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return {task.pk for task in self.tasks if task.due_at < tomorrow}

    def clean(self) -> dict[str, Any]:
        """A call that is to be made again needs its day."""
        given = super().clean()
        if given.get("outcome") == CallOutcome.CALL_BACK and not given.get("on") and "on" not in self.errors:
            self.add_error("on", "Choose the day on which to call back.")
        return given
