"""Gathers marketing's models for Django; code imports them from their folders."""

from marketing.campaigns.models import Campaign, CampaignChannel, Placement
from marketing.capture.models import Form, Submission
from marketing.channels.models import Channel
from marketing.nurture.models import Enrollment, Letter, Sequence, Step

__all__ = [
    "Campaign", "CampaignChannel", "Channel", "Enrollment", "Form", "Letter", "Placement", "Sequence", "Step",
    "Submission",
]  # fmt: skip
