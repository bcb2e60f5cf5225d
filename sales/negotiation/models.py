"""The price list, and priced offers for a deal: a quote and its versions, each immutable once it is sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import LEADERS, Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped
from sales.deals.models import OPEN, Deal, DealStage


class ProductQuerySet(models.QuerySet["Product"]):
    def offered(self) -> ProductQuerySet:
        return self.filter(archived_at=None)


class Product(TenantRow):
    """Something that the business sells; archived rather than deleted, because quotes name it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    description = models.CharField(max_length=500, blank=True)
    # What its lines are taxed with unless somebody says otherwise, in thousandths of a percent.
    tax_rate = models.PositiveIntegerField(default=0)
    external_system = models.CharField(max_length=60, blank=True)
    external_id = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)

    objects: ClassVar[Any] = scoped(ProductQuerySet)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "external_system", "external_id"],
                name="product_external",
                condition=~Q(external_id=""),
            )
        ]
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="product_recent"),
            models.Index(fields=["workspace", "name", "id"], name="product_offered", condition=Q(archived_at=None)),
        ]

    def __str__(self) -> str:
        return self.name


class ProductPrice(TenantRow):
    """What one of a product costs without tax, in minor units of a currency."""

    product = TenantForeignKey(Product, models.CASCADE, related_name="prices")
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "product", "currency"], name="price_once")]


class QuoteCounter(TenantRow):
    """The last number given in a year; raised under its row's lock, so that numbers have no gap."""

    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "year"], name="quotecounter_once")]


class State(models.TextChoices):
    DRAFT = "draft", "Draft"
    SENT = "sent", "Sent"
    ACCEPTED = "accepted", "Accepted"
    DECLINED = "declined", "Declined"
    EXPIRED = "expired", "Ended"
    SUPERSEDED = "superseded", "Replaced"


MOVES: dict[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.SENT}),
    State.SENT: frozenset({State.ACCEPTED, State.DECLINED, State.EXPIRED, State.SUPERSEDED}),
    State.ACCEPTED: frozenset(),
    State.DECLINED: frozenset(),
    State.EXPIRED: frozenset(),
    State.SUPERSEDED: frozenset(),
}


class DeclineReason(models.TextChoices):
    PRICE = "price", "The price"
    TIME = "time", "Not now, later"
    OTHER = "other", "Another offer"
    SCOPE = "scope", "It is not what we need"


class QuoteQuerySet(models.QuerySet["Quote"]):
    def changeable_by(self, member: Member) -> QuoteQuerySet:
        """Owner and manager change every quote, a rep those of one's own deals."""
        if member.role in LEADERS:
            return self
        return self.filter(deal__holder=member) if member.role == "rep" else self.none()

    def in_state(self, state: str, at: datetime) -> QuoteQuerySet:
        """Those whose latest version is in a state, as the clock sees it."""
        latest = QuoteVersion.objects.filter(quote=OuterRef("pk")).order_by("-number")
        rows = self.annotate(
            latest_state=Subquery(latest.values("state")[:1]), latest_end=Subquery(latest.values("ends_at")[:1])
        )
        over = Q(latest_state=State.SENT) & (Q(latest_end__lte=at) | Q(deal__stage=DealStage.LOST))
        if state == State.SENT:
            return rows.filter(latest_state=state).exclude(over)
        return rows.filter(Q(latest_state=state) | over) if state == State.EXPIRED else rows.filter(latest_state=state)


class Quote(TenantRow):
    """A priced offer for a deal. Its number is given at the first sending; what is offered stands in its versions."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    deal = TenantForeignKey(Deal, models.CASCADE, related_name="quotes", db_index=False)
    currency = models.CharField(max_length=3)
    year = models.PositiveSmallIntegerField(null=True)
    number = models.PositiveIntegerField(null=True)
    made_at = models.DateTimeField()

    objects: ClassVar[Any] = scoped(QuoteQuerySet)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "year", "number"], name="quote_number")]
        indexes = [
            models.Index(fields=["workspace", "deal"], name="quote_deal"),
            models.Index(fields=["workspace", "-made_at", "-id"], name="quote_recent"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The number as people read it: Q-2026-0147; blank before it was sent."""
        return f"Q-{self.year}-{self.number:04}" if self.number else ""


class VersionQuerySet(models.QuerySet["QuoteVersion"]):
    def whole(self) -> VersionQuerySet:
        """With what a page says of each."""
        return self.select_related("quote__deal__lead", "quote__deal__holder__user")

    def changeable_by(self, member: Member) -> VersionQuerySet:
        """Those of the quotes that the member may change."""
        if member.role in LEADERS:
            return self
        return self.filter(quote__deal__holder=member) if member.role == "rep" else self.none()

    def running(self, at: datetime) -> VersionQuerySet:
        """Sent, undecided and not over yet, for a deal that is open."""
        return self.filter(state=State.SENT, ends_at__gt=at, quote__deal__stage__in=OPEN)

    def over(self, at: datetime) -> VersionQuerySet:
        """Declined, ended, or of a deal that is not open any more, and nothing newer was sent."""
        later = QuoteVersion.objects.filter(
            quote=OuterRef("quote"), number__gt=OuterRef("number"), sent_at__isnull=False
        )
        closed = Q(ends_at__lte=at) | ~Q(quote__deal__stage__in=OPEN)
        ended = Q(state__in=(State.DECLINED, State.EXPIRED)) | Q(closed, state=State.SENT)
        return self.filter(ended).exclude(Exists(later))


class QuoteVersion(TenantRow):
    """What was offered, to the digit. `document` is what the lead sees, frozen at sending, and `digest` its SHA-256.

    `door` is the digest of its public address; the address itself is made when it is needed. Sums are minor units.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    quote = TenantForeignKey(Quote, models.CASCADE, related_name="versions", db_index=False)
    number = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    title = models.CharField(max_length=200)
    words = models.TextField(blank=True)
    terms = models.TextField(blank=True)
    valid_until = models.DateField()
    ends_at = models.DateTimeField(null=True)
    before = models.BigIntegerField(default=0)
    net = models.BigIntegerField(default=0)
    tax = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    document = models.JSONField(default=dict)
    digest = models.CharField(max_length=64, blank=True)
    door = models.CharField(max_length=64, blank=True)
    made_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    sent_by = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)
    sent_to = models.EmailField(max_length=254, blank=True)
    decided_at = models.DateTimeField(null=True)
    signed = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=5, choices=DeclineReason.choices, blank=True)
    note = models.TextField(blank=True)

    objects: ClassVar[Any] = scoped(VersionQuerySet)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "quote", "number"], name="quoteversion_once"),
            models.UniqueConstraint(
                fields=["workspace", "quote"], name="quoteversion_draft", condition=Q(state="draft")
            ),
            models.UniqueConstraint(fields=["workspace", "quote"], name="quoteversion_sent", condition=Q(state="sent")),
            models.UniqueConstraint(fields=["workspace", "door"], name="quoteversion_door", condition=~Q(door="")),
        ]
        indexes = [
            models.Index(fields=["workspace", "state", "ends_at", "id"], name="quoteversion_ends"),
            models.Index(fields=["workspace", "state", "-updated_at", "-id"], name="quoteversion_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.quote.name or 'Draft'}, version {self.number}"

    @property
    def is_closed(self) -> bool:
        """Whether its deal was lost before anybody answered; where the loss is undone, it is open again."""
        return self.state == State.SENT and self.quote.deal.stage == DealStage.LOST

    @property
    def is_withdrawn(self) -> bool:
        """Whether somebody of us ended it before its day."""
        early = self.decided_at is not None and self.ends_at is not None and self.decided_at < self.ends_at
        return self.state == State.EXPIRED and early

    def state_at(self, at: datetime) -> State:
        """The state as a person sees it: over by the clock is over, even before the worker has noted it."""
        if self.is_closed or (self.state == State.SENT and self.ends_at is not None and self.ends_at <= at):
            return State.EXPIRED
        return State(self.state)

    def says_at(self, at: datetime) -> str:
        """What became of it, in a word or two."""
        if self.is_withdrawn:
            return "Withdrawn"
        return "Deal lost" if self.is_closed else self.state_at(at).label

    def move(self, to: State, *, at: datetime, **also: Any) -> bool:
        """Move the version to a state, the only way that it changes: compare-and-set; False where it isn't allowed.

        `also` are further columns of the same update.
        """
        was = State(self.state)
        if to not in MOVES[was]:
            return False
        values = {"state": to, "updated_at": at, **also}
        if not QuoteVersion.objects.filter(pk=self.pk, state=was).update(**values):
            return False
        for name, value in values.items():
            setattr(self, name, value)
        return True

    def ordered_lines(self) -> QuerySet[QuoteLine]:
        return self.lines.order_by("position", "id")


class QuoteLine(TenantRow):
    """One line: a product or a text, how many, at what price, less how much, taxed how; scaled as `reckoning` says."""

    version = TenantForeignKey(QuoteVersion, models.CASCADE, related_name="lines", db_index=False)
    position = models.PositiveSmallIntegerField()
    product = TenantForeignKey(Product, models.SET_NULL, null=True, related_name="+", db_index=False)
    text = models.CharField(max_length=200)
    more = models.CharField(max_length=500, blank=True)
    quantity = models.BigIntegerField()
    unit_price = models.BigIntegerField()
    discount = models.PositiveIntegerField(default=0)
    tax_rate = models.PositiveIntegerField(default=0)
    net = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["workspace", "version", "position"], name="quoteline_order")]
