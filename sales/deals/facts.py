"""Facts that `check_facts` recomputes: leads stand where their deals say, and the ledger holds what was won."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.ledger.models import Revenue
from funnel.workspaces.asking import Asked
from funnel.workspaces.facts import Difference
from funnel.workspaces.models import Workspace
from sales.deals.models import OPEN, Deal, DealStage

HOLDERS = Asked(
    lambda lead: Deal.objects.filter(lead__in=[lead]).order_by("opened_at", "pk").values_list("lead_id", "holder_id"),
    UUID,
)


def busy_with(lead_ids: Collection[UUID]) -> set[UUID]:
    """Those of the leads with whom sales is in the middle of a deal. SLOTS["busy_with"]."""
    return Deal.objects.open_leads(lead_ids)


def dealt_with(lead_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Who had the latest deal with each of the leads. SLOTS["dealt_with"]."""
    return dict(HOLDERS.rows(list(lead_ids)))


def leads_follow_deals(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """Somebody with a won deal is a customer, from the first that made them one; who has an open one is with sales."""
    deals = Deal.objects.filter(lead=OuterRef("pk"))
    won = deals.filter(stage=DealStage.WON)
    wrong = Lead.objects.filter(
        (Q(Exists(won)) & ~Q(stage=Stage.CUSTOMER))
        | (Q(Exists(deals.filter(stage__in=OPEN))) & ~Q(stage__in=[*SALES, Stage.CUSTOMER]))
        | (Q(stage=Stage.CUSTOMER, customer_since=None))
        | Q(Exists(won.filter(made_customer=True)), Exists(won.filter(closed_at__lt=OuterRef("customer_since"))))
    )
    for pk, stage in wrong.values_list("pk", "stage")[:100]:
        yield "stage by deals", f"lead {pk} is {stage}, and its deals say something else, or since when"


def revenue_follows_deals(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """For every deal the ledger's rows add up to what it was won for; to nothing where it isn't won."""
    booked = Revenue.objects.filter(deal_id=OuterRef("pk")).order_by().values("deal_id").annotate(sum=Sum("amount"))
    rows = Deal.objects.annotate(booked=Coalesce(Subquery(booked.values("sum")), 0))
    wrong = rows.filter(
        (Q(stage=DealStage.WON) & ~Q(booked=Coalesce("amount", 0))) | (~Q(stage=DealStage.WON) & ~Q(booked=0))
    )
    for pk, stage, sum_ in wrong.values_list("pk", "stage", "booked")[:100]:
        yield "revenue by deal", f"deal {pk} is {stage}, and the ledger holds {sum_} minor units for it"
