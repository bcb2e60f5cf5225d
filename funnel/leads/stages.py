"""The stages of a lead as data: one enum, one table of moves (design.md, Stages)."""

from django.db.models import TextChoices


class Stage(TextChoices):
    NEW = "new", "New"
    NURTURING = "nurturing", "With marketing"
    READY = "ready", "Ready for sales"
    WORKING = "working", "In conversation"
    QUALIFIED = "qualified", "Qualified"
    DEMO = "demo", "Demo"
    NEGOTIATION = "negotiation", "Negotiation"
    CUSTOMER = "customer", "Customer"
    LOST = "lost", "Lost"
    DISQUALIFIED = "disqualified", "Not a fit"


SALES = (Stage.WORKING, Stage.QUALIFIED, Stage.DEMO, Stage.NEGOTIATION)
MARKETING = (Stage.NEW, Stage.NURTURING)
# A lead in one of these isn't on its way any more.
ENDED = (Stage.CUSTOMER, Stage.LOST, Stage.DISQUALIFIED)
# A lead keeps the moment at which it first came to each of these; a customer has `customer_since`.
ARRIVALS: dict[Stage, str] = {stage: f"{stage}_at" for stage in (Stage.READY, *SALES)}

MOVES: dict[Stage, frozenset[Stage]] = {
    Stage.NEW: frozenset(set(Stage) - {Stage.NEW}),
    Stage.NURTURING: frozenset({Stage.READY, *SALES, Stage.CUSTOMER, Stage.LOST, Stage.DISQUALIFIED}),
    Stage.READY: frozenset({Stage.NURTURING, *SALES, Stage.CUSTOMER, Stage.LOST, Stage.DISQUALIFIED}),
    **{
        stage: frozenset({*SALES, Stage.NURTURING, Stage.CUSTOMER, Stage.LOST, Stage.DISQUALIFIED} - {stage})
        for stage in SALES
    },
    Stage.CUSTOMER: frozenset({*SALES, Stage.LOST}),
    Stage.LOST: frozenset({Stage.NURTURING, Stage.READY, *SALES, Stage.CUSTOMER, Stage.DISQUALIFIED}),
    Stage.DISQUALIFIED: frozenset({Stage.NURTURING, *SALES, Stage.CUSTOMER}),
}


def side_of(stage: str) -> str:
    """Which leg of the way a stage lies on: marketing, hall (between) or sales."""
    if stage == Stage.READY:
        return "hall"
    return "sales" if stage in (*SALES, Stage.CUSTOMER) else "marketing"
