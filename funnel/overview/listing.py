"""The list of all leads: find, filter, order, page by key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.db.models import Exists, IntegerField, OuterRef, QuerySet, Subquery
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from funnel.handoff.models import Handoff
from funnel.leads.models import Lead, LeadQuerySet
from funnel.leads.stages import ENDED, MARKETING, SALES, Stage
from funnel.outbox.models import Event
from funnel.overview.paging import PAGE, beyond, cursor, read
from funnel.overview.ranking import Choice, ranked, read_choice
from funnel.overview.rows import rows_of
from funnel.workspaces import asking
from funnel.workspaces.models import Member
from funnel.workspaces.roles import allow, may

# A count is shown as far as this; beyond, counting would cost more than it says.
COUNTED = 1000
FILTERS = {
    "": "All",
    "mine": "With you",
    "late": "Late",
    "go": "Waiting for a go",
    "ready": "Ready for sales",
    "sales": "With sales",
    "left": "With nobody active",
    "marketing": "With marketing",
    "new": "New",
    "customers": "Customers",
    "ended": "Ended",
    "back": "Came back",
}
# What a row shows and its order needs; whole rows would cost a third of the page.
SHOWN = (
    "workspace_id", "name", "email", "phone", "company_name", "external_id", "stage", "received_at", "cool_until",
    "waits_since", "way_back", "holder__user__name", "holder__user__email",
)  # fmt: skip
NUMBERLIKE = re.compile(r"[\d\s()+./-]{5,}")


@dataclass(frozen=True)
class Asked(Choice):
    """What the address asks for."""

    words: str
    kind: str

    @classmethod
    def of(cls, given: Any) -> Asked:
        """Read the address; a filter or an order that isn't ours is refused."""
        if (kind := given.get("is", "")) not in FILTERS:
            raise BadRequest("There is no such list.")
        return cls(*read_choice(given), given.get("q", "").replace("\x00", "").strip()[:200], kind)

    def url(self, **other: str) -> str:
        """The address of this list with some of it changed."""
        return reverse("leads") + self.query(**{"q": self.words, "is": self.kind} | other)

    @property
    def search(self) -> str:
        """The words as leads are searched: a phone number without its signs and its trunk zero."""
        if NUMBERLIKE.fullmatch(self.words):
            return re.sub(r"\D", "", self.words).lstrip("0")
        return self.words


def leads_of(asked: Asked, member: Member, at: datetime) -> LeadQuerySet:
    """The leads that a list shows, in no order."""
    found: LeadQuerySet = Lead.objects.visible_to(member)
    waiting = Handoff.objects.open()
    if asked.kind == "mine":
        found = found.filter(holder=member, stage__in=SALES)
    elif asked.kind == "late":
        found = found.filter(pk__in=waiting.filter(due_at__lt=at).values("lead_id"))
    elif asked.kind == "go":
        found = found.filter(waits_since__isnull=False)
    elif asked.kind == "ready":
        found = found.filter(pk__in=waiting.values("lead_id"))
    elif asked.kind == "sales":
        found = found.filter(stage__in=SALES)
    elif asked.kind == "left":
        found = found.filter(holder__in=Member.objects.filter(active=False), stage__in=SALES)
    elif asked.kind == "marketing":
        found = found.filter(stage__in=MARKETING)
    elif asked.kind == "new":
        found = found.filter(stage=Stage.NEW)
    elif asked.kind == "customers":
        found = found.filter(stage=Stage.CUSTOMER)
    elif asked.kind == "ended":
        found = found.filter(stage__in=[stage for stage in ENDED if stage != Stage.CUSTOMER])
    elif asked.kind == "back":
        again = Event.objects.filter(lead=OuterRef("pk"), kind="came_back")
        found = found.filter(Exists(again), stage=Stage.DISQUALIFIED)
    return found.found_by(asked.search) if asked.words else found


def page_of(asked: Asked, member: Member, at: datetime, after: str) -> tuple[list[Lead], str]:
    """One page of leads in the order asked for, and the cursor of the next or a blank."""
    found = leads_of(asked, member, at)
    shown = Lead.objects.select_related("holder__user").only(*SHOWN)
    if asked.order:
        within = found if asked.words or asked.kind else None
        return ranked(asked, shown, kind="leads", at=at, after=after, within=within)
    newest = asked.narrowed(found, at).select_related("holder__user").only(*SHOWN).order_by("-received_at", "-id")
    if (place := read("leads.newest", after, 2)) is not None:
        newest = newest.filter(beyond("received_at", "id", place, falling=True))
    leads = list(newest[: PAGE + 1])
    end = leads[PAGE - 1] if len(leads) > PAGE else None
    return leads[:PAGE], cursor("leads.newest", end.received_at.isoformat(), end.pk) if end else ""


class Counted(Subquery):
    """How many rows there are; the column that is named stands in their index, so that the rows aren't read."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()


def _counted(member: UUID, at: datetime) -> QuerySet[Any]:
    waiting, held = Handoff.objects.open(), Lead.objects.filter(stage__in=SALES)
    lists = (
        waiting,
        waiting.filter(due_at__lt=at),
        held,
        held.filter(holder=member),
        held.filter(holder__in=Member.objects.filter(active=False)),
        Lead.objects.filter(waits_since__isnull=False)[:COUNTED],
    )
    return Member.objects.filter(pk__in=[member]).values_list(*(Counted(rows.values("workspace")) for rows in lists))


COUNTS = asking.Asked(_counted, UUID, datetime)


def counts(member: Member, at: datetime) -> dict[str, int]:
    """How many stand in the lists that are short by nature; the long ones aren't counted."""
    names = ("ready", "late", "sales", "mine", "left", "go")
    return dict(zip(names, COUNTS.rows([member.pk], [at])[0], strict=True))


@require_safe
@allow("read")
def leads(request: Any) -> HttpResponse:
    """All leads, found and filtered; the next rows alone for the button under the list."""
    member, at = request.member, request.at
    asked = Asked.of(request.GET)
    after = request.GET.get("after", "")
    found, following = page_of(asked, member, at, after)
    may_go = may(member, "leads.go")
    context: dict[str, Any] = {
        "rows": rows_of(found, at=at, workspace=request.workspace, may_go=may_go),
        "next_url": asked.url(after=following) if following else "",
    }
    if request.htmx:
        return render(request, "funnel/overview/leads.html#list", context)
    number = counts(member, at)
    # What is empty most of the time is offered only when somebody is in it.
    hidden = {kind for kind in ("mine", "late", "go", "left") if not number[kind] and kind != asked.kind}
    filters = FILTERS | ({"go": "Waiting for your go"} if may_go else {})
    context |= {
        "asked": asked,
        "unbanded_url": asked.url(band=""),
        "number": number,
        "counted": COUNTED,
        "filters": [
            {"url": asked.url(**{"is": kind}), "label": label, "count": number.get(kind), "current": kind == asked.kind}
            for kind, label in filters.items()
            if kind not in hidden
        ],
        "may_add": may(member, "leads.change"),
        "may_import": may(member, "import"),
        "may_go": may_go,
        "is_first": not after,
        "nobody": not (found or after or asked.words or asked.kind or asked.band),
    }
    return render(request, "funnel/overview/leads.html", context)
