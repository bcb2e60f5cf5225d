"""How a body of the API names a lead or a member, and who that is."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from funnel.api.shapes import Invalid, Shape, Text, described
from funnel.leads.identity import LENGTHS
from funnel.leads.models import Lead, LeadKey
from funnel.workspaces.models import Member
from funnel.workspaces.refusals import Refusal

HOW = 'Send the lead’s id, or {"external_id": …, "external_system": …}.'
_EXTERNAL = Shape(
    {
        "external_id": Text(LENGTHS["external_id"], numbers=True),
        "external_system": Text(LENGTHS["external_system"]),
    },
    required=["external_id"],
)


class NoSuchLead(Refusal):
    """A lead that isn't there, or is another business's."""

    status = 404

    def __init__(self) -> None:
        sentence = "There is no such lead. Send it to leads/ first."
        super().__init__(sentence)
        self.errors = {"lead": sentence}


class LeadName:
    """A lead by its id, or by what another system calls it."""

    says = HOW

    def read(self, value: Any) -> UUID | tuple[str, str]:
        if isinstance(value, dict):
            given = _EXTERNAL.read(value)
            return " ".join(given.get("external_system", "").split()), " ".join(given["external_id"].split())
        try:
            if isinstance(value, str) and len(value) <= 40:
                return UUID(value)
        except ValueError:
            pass
        raise ValueError(self.says)

    def schema(self) -> dict[str, Any]:
        return described({"oneOf": [{"type": "string", "format": "uuid"}, _EXTERNAL.schema()]}, self.says)


def of_lead(rows: Any, value: str) -> Any:
    """The rows of the lead that an address names by its id; raise ValueError."""
    try:
        return rows.filter(lead=UUID(value))
    except ValueError:
        raise ValueError("Send a lead’s id.") from None


def lead_named(name: UUID | tuple[str, str], *, among: Any = None) -> Lead:
    """The lead that a body names, with its holder and source, `among` those that may be seen; raise NoSuchLead."""
    rows = Lead.objects.all() if among is None else among
    if isinstance(name, UUID):
        rows = rows.filter(pk=name)
    else:
        known = LeadKey.objects.filter(kind=LeadKey.Kind.EXTERNAL, value="\x1f".join(name))
        rows = rows.filter(pk__in=known.values("lead_id"))
    found = rows.select_related("source", "holder__user", "workspace").first()
    if found is None:
        raise NoSuchLead
    lead: Lead = found
    return lead


def member_named(email: str, field: str) -> Member:
    """The member with this e-mail address, active or not; raise Invalid that names the field."""
    found: Member | None = Member.objects.filter(user__email=email.strip().lower()).select_related("user").first()
    if found is None:
        raise Invalid({field: "Nobody here has this e-mail address."})
    return found
