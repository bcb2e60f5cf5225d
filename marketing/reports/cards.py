"""What marketing shows on the owner's home."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import reverse

from funnel.handoff.models import Question
from funnel.overview.known import Known
from funnel.templatetags.words import plural
from funnel.workspaces.months import asked, begins_on
from funnel.workspaces.tally import Asked
from marketing.capture.models import Submission
from marketing.reports.figures import CHANNEL, CHANNEL_NAME, brought, whole


def counted(request: Any) -> Asked:
    """What was sent in by forms and waits for a person, by form, and what sales asks. SLOTS["home_counts"]."""
    return {"held": (Submission.objects.held(), "form"), "questions": (Question.objects.open(), "")}


def channels_of_the_period(request: Any, known: Known) -> dict[str, Any]:
    """What the channels brought of those who came in the period, and what they cost. SLOTS["home_cards"]."""
    workspace, period = request.workspace, asked(request)
    since, until = begins_on(period.first, workspace), begins_on(period.after, workspace)
    found = brought(since, CHANNEL, CHANNEL_NAME, member=request.member, until=until)
    rows = [{"name": row[CHANNEL_NAME] or "Being sorted", "figures": row["figures"]} for row in found]
    rows.sort(key=lambda row: (-row["figures"].leads, row["name"]))
    return {
        "template": "marketing/_channels_card.html",
        "context": {
            "rows": rows,
            "total": whole(row["figures"] for row in found),
            "most": max((row["figures"].leads for row in rows), default=0),
            "period": period,
            "currency": workspace.currency,
        },
    }


def held_back(request: Any, known: Known) -> dict[str, Any] | None:
    """What was sent in by forms and waits for a person. SLOTS["home_needs"]."""
    forms = known.counts["held"]
    many = sum(forms.values())
    if not many:
        return None
    form, *others = forms
    return {
        "icon": "inbox",
        "what": f"{plural(many, 'form entry', 'form entries')} {'is' if many == 1 else 'are'} held back",
        "meta": "Likely spam, or no lead could be made of it. Nothing is lost.",
        "url": reverse("marketing:forms")
        if others
        else reverse("marketing:form-submissions", args=[UUID(form)]) + "?is=held",
        "does": "See the forms" if others else "Look at what is held back",
    }
