"""Gathers marketing's models for Django; code imports them from their folders."""

from marketing.campaigns.models import Campaign, CampaignChannel, Placement
from marketing.capture.models import Form, Submission
from marketing.channels.models import Channel

__all__ = ["Campaign", "CampaignChannel", "Channel", "Form", "Placement", "Submission"]
