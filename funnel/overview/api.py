"""Leads over the API: receive, list, change, and the verbs that move them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from funnel.api.errors import document
from funnel.api.paging import WRONG, next_of, salt_of, size_of
from funnel.api.shapes import Invalid, asked_moment
from funnel.api.views import ApiView, list_of, spec
from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason
from funnel.handoff.promises import promised_moment
from funnel.leads import actions, receiving
from funnel.leads.identity import Capture, Refused, clean_email
from funnel.leads.models import Lead, LeadKey, OwnId
from funnel.leads.named import member_named
from funnel.leads.stages import Stage
from funnel.outbox.models import Event, Lane
from funnel.overview.answers import EVENT_SCHEMA, LEAD_SCHEMA, WRITTEN, write_event, write_leads
from funnel.overview.bodies import (
    ACCEPT,
    BATCH,
    CAPTURE,
    CHANGES,
    DISQUALIFY,
    MOST,
    RETURN,
    TOUCH,
    VOID,
    capture_of,
    refused,
)
from funnel.overview.ranking import BAND, RANKS, Choice, banded, ranked
from funnel.workspaces.asking import Asked
from funnel.workspaces.gate import database_now
from funnel.workspaces.models import Member, Role
from funnel.workspaces.refusals import Forbidden, Refusal

FILTERS = {
    "stage": f"One of {', '.join(Stage.values)}.",
    "holder": "A member’s e-mail, or none.",
    "email": "An e-mail address; variants that mean the same person are found.",
    "external_id": "The id in the system of yours.",
    "external_system": "Which system `external_id` is of; any unless said.",
    "updated_since": "A moment; the list then begins with what changed first.",
    "q": "Words in name, e-mail, phone or company.",
    "band": "Fit band A to D, engagement band 1 to 4, or both, like A3.",
    "order": "newest, engagement or fit, best first; newest unless said.",
}
ONE = Asked(lambda lead: Lead.objects.filter(pk__in=[lead]).select_related("source", "holder__user"), UUID)

# By these the worker decides, or a page reads what receiving wrote; a touch says them by its kind.
RESERVED = ("asks", "handover", "differs")


class TooBig(Refusal):
    """More at once than one request may bring."""

    status = 413


class LeadView(ApiView):
    """People on the way to becoming customers."""

    scope = "leads"
    rights = {
        "list": "read",
        "retrieve": "read",
        "events": "read",
        "create": "leads.change",
        "batch": "leads.change",
        "partial_update": "leads.change",
        "touch": "leads.change",
        "disqualify": "leads.change",
        "accept": "leads.take",
        "give_back": "leads.take",
    }

    def lead(self, pk: UUID) -> Lead:
        """The lead, which everybody may read; 404 for another business's."""
        found: list[Lead] = ONE.rows([pk])
        if not found:
            raise Http404
        found[0].workspace = self.workspace
        return found[0]

    def own(self, pk: UUID) -> Lead:
        """The lead, locked, if the member may change it; 404 for another business's, 403 for a colleague's."""
        found = self.lead(pk)
        if not Lead.objects.changeable_by(self.member).filter(pk=pk).exists():
            raise Forbidden("This lead is a colleague’s. A sales rep changes those they hold or are offered.")
        Lead.objects.locked([pk])
        found.refresh_from_db(fields=["version"])
        self.match(found.version)
        return found

    def told(self, lead: Lead, status: int = 200) -> Response:
        """Answer with the lead as it is now."""
        return Response(write_leads([self.lead(lead.pk)], self.at)[0], status)

    def capture(self, values: dict[str, Any], *, handover: bool = True) -> Capture:
        return capture_of(
            values,
            handover=handover,
            # A rep changes only their own leads, so what a rep's key says of others' fills blanks.
            overwrite=self.member.role != Role.REP,
            via=self.request.auth.name,  # type: ignore[union-attr]
        )

    @spec("Leads", query=FILTERS, paged=True, answers=list_of(LEAD_SCHEMA))
    def list(self, request: Request) -> Response:
        """Latest received first, or by `order`; with `updated_since` and without `order`, earliest changed first."""
        rows, params = Lead.objects.visible_to(self.member).only(*WRITTEN), request.query_params
        # Not joined with its source: SQLite would begin with the sources, which are few, and sort every lead.
        rows = rows.prefetch_related("source") if settings.SQLITE else rows.select_related("source")
        shown = rows = rows.select_related("holder__user")
        rows, errors = self.narrowed(rows, NARROW, params.get("external_system"))
        if "external_system" in params and "external_id" not in params:
            errors["external_system"] = "Send external_id with it."
        order = params.get("order", "")
        if "order" in params and order not in ("newest", *RANKS):
            errors["order"] = f"Send one of: newest, {', '.join(RANKS)}."
        if errors:
            raise Invalid(errors)
        if order in RANKS:
            return self._ranked(Choice(order, ""), shown, rows)
        by = ("updated_at", "id") if "updated_since" in params and not order else ("-received_at", "-id")
        return self.listed(rows, by, lambda found: write_leads(found, self.at))

    def _ranked(self, choice: Choice, shown: QuerySet[Lead], rows: QuerySet[Lead]) -> Response:
        """Answer one page of a list by its scores."""
        request = self.request
        if (cursor := request.query_params.get("cursor")) == "":
            raise Invalid({"cursor": WRONG})
        try:
            found, after = ranked(
                choice, shown, kind=salt_of(request), at=self.at, within=None if rows is shown else rows,
                after=cursor or "", size=size_of(request),
            )  # fmt: skip
        except BadRequest:
            raise Invalid({"cursor": WRONG}) from None
        return Response({"results": write_leads(found, self.at), "next": next_of(request, after) if after else None})

    @spec("Receive a lead", body=CAPTURE, answers={201: LEAD_SCHEMA, 200: LEAD_SCHEMA})
    def create(self, request: Request) -> Response:
        """201 for a new lead, 200 for a known one; what is sent overwrites, but never with a blank.

        The same sent again with the same `occurred_at` is told once.
        """
        result = receiving.receive(self.workspace, [self.capture(self.values)], at=self.at, by=self.member)[0]
        if result.lead is None:
            raise refused(result)
        if result.created:
            return Response(write_leads([result.lead], self.at, fresh=True)[0], 201)
        return self.told(result.lead)

    @spec("Receive up to 1,000 leads", body=BATCH, answers={207: {"type": "object"}})
    def batch(self, request: Request) -> Response:
        """One result per lead, in order: {"status", "id"} or {"status", "problem"}. No handoff unless `handover`."""
        items = self.values["leads"]
        if len(items) > MOST:
            raise TooBig(f"Send at most {MOST:,} leads at once.")
        usual = self.values.get("handover", False)
        results: list[Any] = [None] * len(items)
        lanes: dict[str, list[tuple[int, Capture]]] = {Lane.BULK: [], Lane.LIVE: []}
        for place, item in enumerate(items):
            try:
                capture = self.capture(CAPTURE.read(item), handover=usual)
            except Invalid as wrong:
                results[place] = _item_problem(wrong)
            except ValueError as wrong:
                results[place] = {"status": 400, "problem": document(400, str(wrong))}
            else:
                lanes[Lane.LIVE if capture.handover else Lane.BULK].append((place, capture))
        for lane, pairs in lanes.items():
            received = receiving.receive(
                self.workspace, [one for _, one in pairs], at=self.at, by=self.member, lane=lane
            )
            for (place, _), result in zip(pairs, received, strict=True):
                results[place] = (
                    {"status": 201 if result.created else 200, "id": str(result.lead.pk)}
                    if result.lead
                    else _item_problem(refused(result))
                )
        return Response({"results": results}, 207)

    @spec("One lead", answers={200: LEAD_SCHEMA})
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Answer the lead with an ETag for `If-Match`."""
        return Response(write_leads([self.lead(pk)], self.at)[0])

    @spec("Change a lead", body=CHANGES, answers={200: LEAD_SCHEMA})
    def partial_update(self, request: Request, pk: UUID) -> Response:
        """Overwrite what is sent, never with a blank. A key that another lead has is 409 with that lead's id."""
        return self.told(actions.edit(self.own(pk), self.values, by=self.member, at=self.at))

    @spec("Record a touch", body=TOUCH, answers={201: EVENT_SCHEMA})
    def touch(self, request: Request, pk: UUID) -> Response:
        """Record what the lead did, or what was done with them; `contact_request` asks for a handoff."""
        source, data = self.values.get("source") or {}, self.values.get("data") or {}
        if meant := [name for name in RESERVED if name in data]:
            raise Invalid({f"data.{name}": "Baton uses this name itself; choose another." for name in meant})
        if not isinstance(data.get("promise", ""), str):
            raise Invalid({"data.promise": "Send a text here."})
        names = [" ".join(source.get(name, "").split()) for name in ("channel", "campaign", "placement")]
        event = actions.touch(
            self.own(pk),
            self.values["kind"],
            at=self.at,
            by=self.member,
            occurred_at=self.values.get("occurred_at"),
            source=(names[0], names[1], names[2]),
            data=data,
        )
        return Response(write_event(_events().get(pk=event.pk)), 201)

    @spec("Take a lead", body=ACCEPT, may_be_empty=True, answers={200: LEAD_SCHEMA})
    def accept(self, request: Request, pk: UUID) -> Response:
        """Accept the open handoff; an owner's or manager's key may name another member."""
        lead = self.lead(pk)
        self.match(lead.version)
        to = member_named(self.values["member"], "member") if self.values.get("member") else None
        return self.told(handoff.accept(lead, by=self.member, at=self.at, to=to))

    @spec("Give a lead back", body=RETURN, answers={200: LEAD_SCHEMA})
    def give_back(self, request: Request, pk: UUID) -> Response:
        """Give it back to marketing with a reason, before or after it was taken."""
        lead = self.lead(pk)
        self.match(lead.version)
        handoff.give_back(
            lead,
            reason=_reason(self.values["reason"]),
            by=self.member,
            at=self.at,
            note=self.values.get("note", ""),
            until=promised_moment(self.values.get("until"), workspace=self.workspace, at=self.at),
        )
        return self.told(lead)

    @spec("Not a lead", body=DISQUALIFY, may_be_empty=True, answers={200: LEAD_SCHEMA})
    def disqualify(self, request: Request, pk: UUID) -> Response:
        """Set it aside: spam, a competitor, no fit."""
        lead = self.own(pk)
        handoff.disqualify(lead, by=self.member, at=self.at, reason=self.values.get("reason", ""))
        return self.told(lead)

    @spec("A lead's events", paged=True, answers=list_of(EVENT_SCHEMA))
    def events(self, request: Request, pk: UUID) -> Response:
        """The timeline and the audit of one lead, latest first."""
        rows = _events().filter(lead=self.lead(pk))
        return self.listed(rows, ("-occurred_at", "-id"), lambda found: [write_event(one) for one in found])


class EventView(ApiView):
    """What happened."""

    scope = "leads"
    rights = {"void": "events.void"}

    @spec("Take an event back", body=VOID, answers={201: EVENT_SCHEMA})
    def void(self, request: Request, pk: int) -> Response:
        """Void an event by a later one; what it scored is summed again."""
        event: Event = get_object_or_404(Event.objects.select_for_update(), pk=pk)
        made = actions.void(event, reason=self.values["reason"], by=self.member, at=self.at)
        return Response(write_event(made), 201)


def _events() -> QuerySet[Event]:
    return Event.objects.select_related("actor__user", "source", "voided_by")


def _item_problem(wrong: Invalid) -> dict[str, Any]:
    return {"status": wrong.status, "problem": document(wrong.status, wrong.sentence, wrong.errors)}


def _reason(said: str) -> GiveBackReason:
    reasons = list(GiveBackReason.objects.offered())
    for one in reasons:
        if said.strip().casefold() in (one.key.casefold(), one.name.casefold()):
            return one
    raise Invalid({"reason": f"Send one of: {', '.join(one.key for one in reasons)}."})


def _by_stage(rows: QuerySet[Lead], value: str, _: str | None) -> QuerySet[Lead]:
    if value not in Stage.values:
        raise ValueError(f"Send one of: {', '.join(Stage.values)}.")
    return rows.filter(stage=value)


def _by_holder(rows: QuerySet[Lead], value: str, _: str | None) -> QuerySet[Lead]:
    if value == "none":
        return rows.filter(holder=None)
    member = Member.objects.filter(user__email=value.strip().lower()).first()
    if member is None:
        raise ValueError("Nobody here has this e-mail address.")
    return rows.filter(holder=member)


def _by_email(rows: QuerySet[Lead], value: str, _: str | None) -> QuerySet[Lead]:
    try:
        key = clean_email(value)[1]
    except Refused as wrong:
        raise ValueError(wrong.sentence) from None
    found = LeadKey.objects.filter(kind=LeadKey.Kind.EMAIL, value=key)
    return rows.filter(pk__in=found.values("lead_id"))


def _by_band(rows: QuerySet[Lead], value: str, _: str | None) -> QuerySet[Lead]:
    if not value or not BAND.fullmatch(value):
        raise ValueError("Send a fit band A to D, an engagement band 1 to 4, or both, like A3.")
    return rows.filter(pk__in=banded(value, database_now()).values("lead_id"))


def _by_external_id(rows: QuerySet[Lead], value: str, system: str | None) -> QuerySet[Lead]:
    known = LeadKey.objects.filter(kind=LeadKey.Kind.EXTERNAL)
    if system is None:
        return rows.filter(pk__in=known.alias(own=OwnId("value")).filter(own=value).values("lead_id"))
    return rows.filter(pk__in=known.filter(value=f"{system}\x1f{value}").values("lead_id"))


def _by_change(rows: QuerySet[Lead], value: str, _: str | None) -> QuerySet[Lead]:
    return rows.filter(updated_at__gte=asked_moment(value))


NARROW: dict[str, Callable[[QuerySet[Lead], str, str | None], QuerySet[Lead]]] = {
    "stage": _by_stage,
    "holder": _by_holder,
    "email": _by_email,
    "external_id": _by_external_id,
    "updated_since": _by_change,
    "q": lambda rows, value, _: rows.found_by(value),  # type: ignore[attr-defined]
    "band": _by_band,
}


def routes() -> list[Any]:
    """The addresses of leads and their events."""
    one = "leads/<uuid:pk>/"
    return [
        path("leads/", LeadView.as_view({"get": "list", "post": "create"}), name="leads"),
        path("leads/batch/", LeadView.as_view({"post": "batch"}), name="leads-batch"),
        path(one, LeadView.as_view({"get": "retrieve", "patch": "partial_update"}), name="lead"),
        path(f"{one}touches/", LeadView.as_view({"post": "touch"}), name="lead-touch"),
        path(f"{one}accept/", LeadView.as_view({"post": "accept"}), name="lead-accept"),
        path(f"{one}return/", LeadView.as_view({"post": "give_back"}), name="lead-return"),
        path(f"{one}disqualify/", LeadView.as_view({"post": "disqualify"}), name="lead-disqualify"),
        path(f"{one}events/", LeadView.as_view({"get": "events"}), name="lead-events"),
        path("events/<int:pk>/void/", EventView.as_view({"post": "void"}), name="event-void"),
    ]
