"""The list of all leads: find, filter, order, page by key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import BadRequest
from django.db.models import Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from funnel.handoff.models import Handoff
from funnel.leads.models import Lead, LeadQuerySet
from funnel.leads.stages import ENDED, MARKETING, SALES, Stage
from funnel.outbox.models import Event
from funnel.overview.paging import PAGE, beyond, cursor, read
from funnel.overview.rows import basis_in_force, rows_of
from funnel.scoring.models import BANDS, Basis, LeadScore
from funnel.workspaces import asking
from funnel.workspaces.models import Member
from funnel.workspaces.roles import allow, may

# A count is shown as far as this; beyond, counting would cost more than it says.
COUNTED = 1000
ORDERS = {"newest": "Newest", "engagement": "Engagement", "fit": "Fit"}
BAND = re.compile(r"[A-D]?[1-4]?")
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
class Asked:
    """What the address asks for."""

    words: str
    kind: str
    order: str
    band: str

    @classmethod
    def of(cls, given: Any) -> Asked:
        """Read the address; a filter or an order that isn't ours is refused."""
        kind, order = given.get("is", ""), given.get("order", "newest") or "newest"
        band = given.get("fit", "") + given.get("engagement", "") + given.get("band", "")
        if kind not in FILTERS or order not in ORDERS or not BAND.fullmatch(band):
            raise BadRequest("There is no such list.")
        return cls(given.get("q", "").replace("\x00", "").strip()[:200], kind, order, band)

    @property
    def fit(self) -> str:
        """The fit band that is asked for, A to D, or a blank."""
        return self.band.rstrip("1234")

    @property
    def engagement(self) -> str:
        """The engagement band that is asked for, 1 to 4, or a blank."""
        return self.band.lstrip("ABCD")

    @property
    def band_words(self) -> str:
        """The bands that are asked for, in words: "fit A and engagement 2"."""
        named = {"fit": self.fit, "engagement": self.engagement}
        return " and ".join(f"{name} {band}" for name, band in named.items() if band)

    def url(self, **other: str) -> str:
        """The address of this list with some of it changed."""
        order = "" if self.order == "newest" else self.order
        asked = {"q": self.words, "is": self.kind, "order": order, "band": self.band} | other
        said = urlencode({name: value for name, value in asked.items() if value})
        return reverse("leads") + (f"?{said}" if said else "")

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
    if asked.order != "newest":
        return _ranked(asked, found, at, after)
    if asked.band:
        scores = LeadScore.objects.within(basis_in_force(), at, fit=asked.fit, engagement=int(asked.engagement or 0))
        found = found.filter(pk__in=scores.values("lead_id"))
    newest = found.select_related("holder__user").only(*SHOWN).order_by("-received_at", "-id")
    if (place := read("leads.newest", after, 2)) is not None:
        newest = newest.filter(beyond("received_at", "id", place, falling=True))
    leads = list(newest[: PAGE + 1])
    end = leads[PAGE - 1] if len(leads) > PAGE else None
    return leads[:PAGE], cursor("leads.newest", end.received_at.isoformat(), end.pk) if end else ""


def _ranked(asked: Asked, found: LeadQuerySet, at: datetime, after: str) -> tuple[list[Lead], str]:
    """One page of leads by their scores, which are narrow and stand in this order."""
    # Not joined with the basis: only of one that is known beforehand do the scores stand in order.
    basis = basis_in_force()
    scores = LeadScore.objects.within(basis, at, fit=asked.fit, engagement=int(asked.engagement or 0))
    if asked.words or asked.kind:
        scores = scores.filter(lead__in=found)
    fields = ["fit_band"] if asked.order == "fit" else []
    if (place := _place(asked, after, basis)) is not None:
        fit, total, pk = place
        later = beyond("total", "lead_id", [total, pk], falling=True, key_falling=False)
        scores = scores.filter(Q(fit_band__gt=fit) | Q(fit_band=fit) & later if fields else later)
    ordered = scores.order_by(*fields, "-total", "lead_id").values_list("fit_band", "total", "lead_id")
    ranked = list(ordered[: PAGE + 1])
    following = cursor(f"leads.{asked.order}", *ranked[PAGE - 1], basis.pk) if len(ranked) > PAGE else ""
    ids = [row[-1] for row in ranked[:PAGE]]
    by_id = Lead.objects.select_related("holder__user").only(*SHOWN).in_bulk(ids)
    return [by_id[pk] for pk in ids], following


def _place(asked: Asked, after: str, basis: Basis) -> tuple[str, float, str] | None:
    """Where the page before ended; None for the first page, also where its last lead has no score any more."""
    if (place := read(f"leads.{asked.order}", after, 4)) is None:
        return None
    fit, total, pk, of = place
    if of != str(basis.pk):
        # Another basis took over since: S is another there, so the place is where that lead stands now.
        scored = LeadScore.objects.filter(basis=basis, lead=pk).values_list("fit_band", "total").first()
        return (*scored, pk) if scored else None
    return fit, total, pk


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
    context: dict[str, Any] = {
        "rows": rows_of(found, at=at, workspace=request.workspace),
        "next_url": asked.url(after=following) if following else "",
        "page": PAGE,
    }
    if request.htmx:
        return render(request, "funnel/overview/leads.html#list", context)
    number = counts(member, at)
    # What is empty most of the time is offered only when somebody is in it.
    hidden = {kind for kind in ("mine", "late", "go", "left") if not number[kind] and kind != asked.kind}
    context |= {
        "asked": asked,
        "unbanded_url": asked.url(band=""),
        "number": number,
        "counted": COUNTED,
        "filters": [
            {"url": asked.url(**{"is": kind}), "label": label, "count": number.get(kind), "current": kind == asked.kind}
            for kind, label in FILTERS.items()
            if kind not in hidden
        ],
        "orders": ORDERS,
        "bands": BANDS,
        "may_add": may(member, "leads.change"),
        "may_import": may(member, "import"),
        "is_first": not after,
        "nobody": not (found or after or asked.words or asked.kind or asked.band),
    }
    return render(request, "funnel/overview/leads.html", context)
