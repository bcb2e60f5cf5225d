"""A business of some years: its leads, deals, handoffs, steps and timeline, written fast and as they would stand."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from random import Random
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import connection, models

from funnel.bench.stage import Stage
from funnel.handoff.models import GiveBackReason, Handoff, Outcome
from funnel.leads.models import Company, Lead, LeadKey, Source
from funnel.leads.stages import ARRIVALS, SALES
from funnel.leads.stages import Stage as At
from funnel.ledger.models import Revenue
from funnel.outbox.models import Event
from funnel.outbox.statistics import learn
from funnel.scoring.models import Basis, LeadScore
from funnel.workspaces.gate import tenant
from funnel.workspaces.ids import uuid7
from funnel.workspaces.inserting import insert_all, row_of
from funnel.workspaces.models import Member, Role, User

PART = 5000
SPAN = timedelta(days=3 * 365)
REPS = 6
BEGINS = (
    "Bal",
    "Cor",
    "Dun",
    "Fen",
    "Gar",
    "Hol",
    "Kel",
    "Lor",
    "Mar",
    "Nor",
    "Pel",
    "Quin",
    "Sel",
    "Tam",
    "Ven",
    "Wes",
)
ENDS = ("bury", "combe", "den", "field", "ford", "ham", "land", "ling", "mere", "more", "ridge", "ton", "vale", "worth")
FIRST = (
    "Ann",
    "Bea",
    "Cem",
    "Dov",
    "Eve",
    "Finn",
    "Gus",
    "Hana",
    "Ines",
    "Jon",
    "Kim",
    "Max",
    "Nia",
    "Ole",
    "Pia",
    "Zoe",
)
FIRMS = ("Ltd", "GmbH", "Roofs", "Foods", "Tools", "Garden", "Print", "Legal", "Dental", "Motors")
TOUCHES = ("page_view", "email_open", "email_click", "visit", "call_made")


@dataclass(frozen=True)
class People:
    """Who works in the business that was filled."""

    owner: Member
    reps: list[Member]

    @property
    def rep(self) -> Member:
        return self.reps[0]


@dataclass(frozen=True)
class _Ground:
    """What every row of the business refers to."""

    at: datetime
    workspace: UUID
    reps: list[Member]
    sources: list[int]
    companies: list[UUID]
    basis: Basis
    reason: int
    lost: int
    leads: int
    deals: int
    events: int


def fill(stage: Stage, *, leads: int, deals: int, events: int) -> People:
    """Give the business so many leads and deals, and about so many events a lead; gather the database's statistics.

    A fifth of the deals is open, half of them won; a lead has one at most. Always the same business.
    """
    random = Random(1)  # noqa: S311
    with tenant(stage.workspace, write=True) as at:
        ground = _ground(stage, at, leads, deals, events)
    numbers = iter(range(leads))
    while part := list(islice(numbers, PART)):
        with tenant(stage.workspace, write=True):
            rows: dict[type[models.Model], list[Any]] = {}
            for number in part:
                for row in _of_one(ground, number, random):
                    rows.setdefault(type(row), []).append(row)
            for made in rows.values():
                insert_all(made)
    if settings.SQLITE:
        learn()
    else:
        # As autovacuum does some minutes later.
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    return People(stage.owner, ground.reps)


def _ground(stage: Stage, at: datetime, leads: int, deals: int, events: int) -> _Ground:
    shared = {"workspace_id": stage.workspace.pk}
    reps = []
    for number in range(REPS):
        user = User.objects.create_user(f"rep{number}@bench.example", secrets.token_hex(16), name=f"Rep{number} Seller")
        reps.append(Member.objects.create(user=user, role=Role.REP, takes_leads=True, **shared))
    sources = [
        Source.objects.create(
            channel=channel, campaign=campaign, key=Source.key_of(channel, campaign, ""), created_at=at, **shared
        ).pk
        for channel in ("Paid search", "Fair", "Referral")
        for campaign in ("Spring", "Summer", "Autumn", "Winter")
    ]
    companies = [
        row_of(Company, name=f"{_surname(number)} {FIRMS[number % 10]}", domain=f"firm{number}.example", **shared)
        for number in range(max(1, leads // 3))
    ]
    insert_all(companies)
    reason, lost = GiveBackReason.objects.first(), apps.get_model("sales", "LostReason").objects.first()
    assert reason is not None
    assert lost is not None
    return _Ground(
        at, stage.workspace.pk, reps, sources, [one.pk for one in companies], Basis.objects.get(in_force=True),
        reason.pk, lost.pk, leads, deals, events,
    )  # fmt: skip


def _surname(number: int) -> str:
    return BEGINS[number % len(BEGINS)] + ENDS[number // len(BEGINS) % len(ENDS)]


def _stage_of(ground: _Ground, share: float) -> tuple[At, str]:
    """Where a lead stands and where its deal does, if it has one, by the lead's place between 0 and 1."""
    deals = ground.deals / ground.leads
    for part, stage, deal in (
        (deals * 0.5, At.CUSTOMER, "won"), (deals * 0.3, At.LOST, "lost"),
        (deals * 0.1, At.QUALIFIED, "qualified"), (deals * 0.05, At.DEMO, "demo"),
        (deals * 0.05, At.NEGOTIATION, "negotiation"), (0.02, At.WORKING, ""), (0.003, At.READY, ""),
        (0.08, At.LOST, ""), (0.02, At.DISQUALIFIED, ""), (0.15, At.NEW, ""),
    ):  # fmt: skip
        if share < part:
            return stage, deal
        share -= part
    return At.NURTURING, ""


def _of_one(ground: _Ground, number: int, random: Random) -> Iterator[models.Model]:
    """A lead with its keys, score, timeline and whatever its stage brings; each row before those that refer to it."""
    shared = {"workspace_id": ground.workspace}
    stage, deal_stage = _stage_of(ground, random.random())
    received = ground.at - SPAN * ((ground.leads - number) / ground.leads)
    source, holder = ground.sources[random.randrange(len(ground.sources))], random.choice(ground.reps).pk
    lead = _lead(ground, number, random, stage, received, source)
    held = stage in SALES or stage == At.CUSTOMER
    lead.holder_id = holder if held else None
    moment = received
    came: list[tuple[str, At, datetime]] = []
    was = str(At.NEW)
    for through in _way(stage, deal_stage):
        moment += (ground.at - received) * 0.1 * random.random()
        came.append((was, through, moment))
        if column := ARRIVALS.get(through):
            setattr(lead, column, moment)
        elif through == At.CUSTOMER:
            lead.customer_since = moment
        was = str(through)
    yield lead
    for kind, value in ((LeadKey.Kind.EMAIL, lead.email), (LeadKey.Kind.PHONE, lead.phone)):
        yield row_of(LeadKey, lead_id=lead.pk, kind=kind, value=value, **shared)
    yield row_of(
        LeadScore, lead_id=lead.pk, basis_id=ground.basis.pk, fit=random.randrange(100), fit_band=random.choice("ABCD"),
        total=random.expovariate(0.1) * ground.basis.weight(ground.at), **shared,
    )  # fmt: skip
    told = {"lead_id": lead.pk, "source_id": source, **shared}
    yield row_of(Event, kind="form", occurred_at=received, recorded_at=received, data={"message": "Call me."}, **told)
    for before, through, when in came:
        yield row_of(
            Event, kind="moved", occurred_at=when, recorded_at=when, data={"from": before, "to": str(through)}, **told
        )
    for _ in range(max(0, ground.events - 1 - len(came))):
        when = received + (ground.at - received) * random.random()
        yield row_of(Event, kind=random.choice(TOUCHES), occurred_at=when, recorded_at=when, **told)
    yield from _with_sales(ground, lead, holder, random, came)
    if deal_stage:
        yield from _deal(ground, lead, holder, random, came[-1][2], deal_stage, source)


def _lead(ground: _Ground, number: int, random: Random, stage: At, received: datetime, source: int) -> Lead:
    first, last = random.choice(FIRST), _surname(random.randrange(400)) + random.choice(["", "s", "er"])
    firm = random.randrange(len(ground.companies))
    lead = row_of(
        Lead, id=uuid7(), workspace_id=ground.workspace, name=f"{first} {last}", phone=f"+44207{number:07}",
        email=f"{first}.{last}{number}@firm{firm}.example".lower(), company_id=ground.companies[firm],
        company_name=f"{_surname(firm)} {FIRMS[firm % 10]}", stage=stage, source_id=source, received_at=received,
        created_at=received, updated_at=received + (ground.at - received) * random.random(),
        fields={"city": f"Town {number % 400}"},
    )  # fmt: skip
    if stage == At.NURTURING and number % 400 == 0:
        lead.waits_since = ground.at - timedelta(days=2)
    lead.search = lead.search_text()
    return lead


def _way(stage: At, deal: str) -> list[At]:
    """The stages through which a lead came to where it stands."""
    if stage in (At.NEW, At.READY, At.NURTURING, At.DISQUALIFIED):
        return [] if stage == At.NEW else [stage]
    whole = [At.READY, At.WORKING, At.QUALIFIED, At.DEMO, At.NEGOTIATION]
    if stage in SALES:
        return whole[: whole.index(stage) + 1]
    return [*whole, stage] if deal else [At.NURTURING, stage]


def _with_sales(
    ground: _Ground, lead: Lead, holder: UUID, random: Random, came: list[tuple[str, At, datetime]]
) -> Iterator[models.Model]:
    """The lead's handoff, and the next step where a rep holds it."""
    opened = next((when for _, through, when in came if through == At.READY), None)
    if opened is None:
        return
    is_open = lead.stage == At.READY
    if is_open:
        opened = ground.at - timedelta(days=5) * random.random()
    hour = timedelta(hours=1)
    handoff = row_of(
        Handoff, id=uuid7(), workspace_id=ground.workspace, lead_id=lead.pk, offered_to_id=holder, opened_at=opened,
        began_at=opened,
        card={"why": "Asked to be contacted.", "touched": [], "promised": [], "ask": []},
        route={"by": "rotation", "says": "It was their turn.", "rows": []},
        remind_at=opened + 2 * hour, due_at=opened + 4 * hour, reroute_at=opened + 6 * hour,
    )  # fmt: skip
    if not is_open:
        handoff.outcome, handoff.closed_at, handoff.closed_by_id = Outcome.ACCEPTED, opened + hour, holder
    elif random.random() < 0.1:
        handoff.offered_to_id = None
    if lead.stage == At.LOST and random.random() < 0.2:
        handoff.given_back_at, handoff.reason_id = opened + 24 * hour, ground.reason
    yield handoff
    if lead.stage in SALES:
        yield row_of(
            Event, workspace_id=ground.workspace, lead_id=lead.pk, kind="call_made", actor_id=holder,
            occurred_at=opened + 2 * hour, recorded_at=opened + 2 * hour,
        )  # fmt: skip
        if random.random() < 0.5:
            due = ground.at + timedelta(days=20 * random.random() - 5)
            yield row_of(
                apps.get_model("sales", "Task"), workspace_id=ground.workspace, lead_id=lead.pk, holder_id=holder,
                what="Call about the offer", made_at=opened, due_at=due,
            )  # fmt: skip


def _deal(
    ground: _Ground, lead: Lead, holder: UUID, random: Random, since: datetime, stage: str, source: int
) -> Iterator[models.Model]:
    """The lead's deal, the move that brought it where it stands, and what it earned."""
    opened = lead.qualified_at or since
    amount, title = random.randrange(500_00, 20_000_00), f"Offer for {lead.company_name}"
    deal = row_of(
        apps.get_model("sales", "Deal"), id=uuid7(), workspace_id=ground.workspace, lead_id=lead.pk, title=title,
        stage=stage, stage_since=since, holder_id=holder, amount=amount, currency="GBP", opened_at=opened,
        made_at=opened, updated_at=since,
    )  # fmt: skip
    told: dict[str, Any] = {"workspace_id": ground.workspace, "lead_id": lead.pk}
    if stage in ("won", "lost"):
        deal.closed_at = deal.decided_at = since
        deal.stage_before, deal.reason, deal.made_customer = "negotiation", "Price", stage == "won"
        deal.lost_reason_id = ground.lost if stage == "lost" else None
    yield deal
    yield row_of(
        Event, kind="deal_moved", occurred_at=since, recorded_at=since, actor_id=holder, **told,
        data={
            "deal": str(deal.pk), "title": title, "from": "qualified", "to": stage, "since": opened.isoformat(),
        },
    )  # fmt: skip
    if stage == "won":
        yield row_of(
            Revenue, id=uuid7(), deal_id=deal.pk, source_id=source, holder_id=holder, amount=amount, currency="GBP",
            base_amount=amount, what=title, occurred_at=since, recorded_at=since, by_id=holder, **told,
        )  # fmt: skip
