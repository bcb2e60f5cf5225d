"""Gathers the hall's models for Django; code imports them from their folders."""

from funnel.api.models import KeptAnswer
from funnel.handoff.models import GiveBackReason, Handoff, Question, RoutingRule
from funnel.leads.models import (
    Company,
    Consent,
    FieldDefinition,
    Lead,
    LeadKey,
    SearchText,
    Source,
    Suppression,
    Suspect,
)
from funnel.ledger.models import Cost, Rate, Revenue
from funnel.mail.models import MailServer, Message
from funnel.outbox.models import Effect, Event, Feed, Heartbeat
from funnel.scoring.models import Basis, LeadScore, RuleDraft, RuleVersion, ScorePoint
from funnel.transfer.models import Import, RefusedRow
from funnel.workspaces.models import (
    ApiKey,
    AuditEntry,
    Invitation,
    Member,
    PublicDoor,
    Team,
    TeamMember,
    TimeOff,
    User,
    Workspace,
)

__all__ = [
    "ApiKey", "AuditEntry", "Basis", "Company", "Consent", "Cost", "Effect", "Event", "Feed", "FieldDefinition",
    "GiveBackReason", "Handoff", "Heartbeat", "Import", "Invitation", "KeptAnswer", "Lead", "LeadKey",
    "LeadScore", "MailServer", "Member", "Message", "PublicDoor", "Question", "Rate", "RefusedRow", "Revenue",
    "RoutingRule", "RuleDraft", "RuleVersion", "ScorePoint", "SearchText", "Source", "Suppression", "Suspect", "Team",
    "TeamMember", "TimeOff", "User", "Workspace",
]  # fmt: skip
