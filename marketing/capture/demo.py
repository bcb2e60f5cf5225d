"""What marketing can do in the demo business."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from funnel.leads.fields import FieldBook
from funnel.workspaces.models import Member, Workspace
from marketing.campaigns.models import Campaign, CampaignChannel
from marketing.capture import actions as capture
from marketing.capture.actions import CONTACT
from marketing.capture.models import Form
from marketing.channels.models import Channel


def verbs(workspace: Workspace) -> dict[str, Callable[..., Any]]:
    """The verbs by the names that the scene uses."""
    desk = _Desk(workspace)
    return {"campaign": desk.campaign, "form": desk.form, "send_in": desk.send_in}


class _Desk:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.forms: dict[str, Form] = {one.name: one for one in Form.objects.all()}

    def campaign(
        self,
        name: str,
        *,
        goal: str,
        offer: str,
        first: datetime,
        last: datetime,
        budget: int,
        channels: Sequence[str],
        at: datetime,
        **_: Any,
    ) -> None:
        """Plan a campaign."""
        made = Campaign.objects.create(
            workspace=self.workspace,
            key=name.casefold(),
            name=name,
            goal=goal,
            offer=offer,
            starts_on=self.workspace.local(first).date(),
            ends_on=self.workspace.local(last).date(),
            budget=budget,
            created_at=at,
        )
        CampaignChannel.objects.bulk_create(
            CampaignChannel(workspace=self.workspace, campaign=made, channel=channel)
            for channel in Channel.objects.filter(key__in=channels)
        )

    def form(self, *, by: Member, at: datetime, own: Sequence[str], campaign: str, **values: Any) -> None:
        """Open a form that asks the usual and some of the business's own fields."""
        labels = {definition.label: definition for definition in FieldBook().by_name.values()}
        asked = [
            {
                "name": f"fields.{labels[label].name}",
                "label": label,
                "required": False,
                "kind": labels[label].kind,
                **({"choices": labels[label].choices} if labels[label].choices else {}),
            }
            for label in own
        ]
        form = Form(
            workspace=self.workspace,
            campaign=Campaign.objects.filter(key=campaign.casefold()).first(),
            fields=[*CONTACT[:4], *asked, CONTACT[4]],
            consent_text="Send me advice and offers by e-mail. I can stop at any time, with one click.",
            created_at=at,
            **{"thanks": "One of us will be in touch within one working day.", **values},
        )
        self.forms[form.name] = capture.open_form(form, by=by)

    def send_in(
        self, form: str, typed: dict[str, str], *, way: Sequence[str], at: datetime, consents: bool = False
    ) -> None:
        """Send a form as a visitor does."""
        shown = self.forms[form]
        channel, campaign, placement = way
        origin: dict[str, Any] = {"channel": channel, "campaign": campaign, "placement": placement}
        if consents:
            typed = typed | {"consent": "on"}
            origin["consent_text"] = shown.consent_text
        capture.send_in(shown, typed, origin=origin, flags=[], at=at)
