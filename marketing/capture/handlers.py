"""The worker's half of a form: submissions become captures, in batches."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from funnel.handoff.judging import score_and_judge
from funnel.leads import receiving
from funnel.leads.identity import Capture
from funnel.outbox.models import Effect
from funnel.scoring.actions import hold
from funnel.workspaces.asking import Asked
from funnel.workspaces.models import Workspace
from marketing.campaigns.models import Campaign
from marketing.capture.models import LEAD_FIELDS, Form, Submission

SUBMISSIONS = Asked(
    lambda event: Submission.objects.filter(event__in=[event], quarantined=False).order_by("received_at", "id"), int
)
FORMS = Asked(lambda form: Form.objects.filter(pk__in=[form]).select_related("campaign"), UUID)
CAMPAIGNS = Asked(lambda key: Campaign.objects.filter(key__in=[key]), str)


def receive(effects: list[Effect], at: datetime) -> None:
    """Make leads of what was sent in, scored and judged at once; what can't become one waits with its reason."""
    workspace = Workspace.objects.get(pk=effects[0].workspace_id)
    hold(workspace)
    waiting = SUBMISSIONS.rows([effect.event_id for effect in effects])
    forms = {form.pk: form for form in FORMS.rows(list({one.form_id for one in waiting}))}
    for one in waiting:
        one.form = forms[one.form_id]
    campaigns = campaigns_of(waiting)
    results = receiving.receive(workspace, [capture(one, campaigns) for one in waiting], at=at, lane=None)
    taken = [one for one in results if one.lead and one.event]
    score_and_judge(
        {one.lead.pk: one.lead for one in taken if one.lead},
        [one.event for one in taken if one.event],
        workspace=workspace,
        at=at,
        new={one.lead.pk for one in taken if one.lead and one.created},
    )
    for submission, result in zip(waiting, results, strict=True):
        if result.refused:
            submission.refused = result.refused
            submission.quarantined = True
            submission.save(update_fields=["refused", "quarantined"])


def campaigns_of(waiting: list[Submission]) -> dict[str, Campaign]:
    """The campaigns that links name by their tags, or their forms belong to, by key."""
    keys = {Campaign.key_of(one.origin.get("campaign", "")) for one in waiting} - {""}
    found = CAMPAIGNS.rows(list(keys))
    found += [one.form.campaign for one in waiting if one.form.campaign]
    return {one.key: one for one in found}


def capture(submission: Submission, campaigns: dict[str, Campaign]) -> Capture:
    """One submission as what it says of a person and of where they came from.

    What they were promised is the offer of the campaign they came by, which may be another than their form's.
    """
    form, typed, origin = submission.form, submission.typed, submission.origin
    said = origin.get("campaign") or (form.campaign.key if form.campaign else "")
    campaign = campaigns.get(Campaign.key_of(said))
    data: dict[str, Any] = {"form": form.name, "form_id": str(form.pk), "submission": str(submission.pk)}
    for name in ("interest", "message"):
        if typed.get(name):
            data[name] = typed[name]
    if campaign and campaign.offer:
        data["promise"] = campaign.offer
    for name in ("referrer", "utm"):
        if origin.get(name):
            data[name] = origin[name]
    consented = typed.get("consent") and origin.get("consent_text")
    return Capture(
        kind="form",
        **{name: typed.get(name, "") for name in LEAD_FIELDS},
        channel=origin.get("channel", ""),
        campaign=campaign.said if campaign else said,
        placement=origin.get("placement", ""),
        occurred_at=submission.received_at,
        recorded_at=submission.received_at,
        fields={name[7:]: value for name, value in typed.items() if name.startswith("fields.")},
        consents={"email": origin["consent_text"]} if consented else {},
        data=data,
        asks=form.at_once,
    )
