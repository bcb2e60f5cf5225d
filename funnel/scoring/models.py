"""Rules, points and the two scores of a lead."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models

from funnel.leads.models import Lead
from funnel.outbox.models import Event
from funnel.workspaces.models import Member
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped

DAY = timedelta(days=1)
BANDS = ("A", "B", "C", "D")


class RuleVersion(TenantRow):
    """One set of rules, never edited, so that a row of points always says by what it was given.

    Its ledger is its own points and those of the versions that it follows. `again` says that it judges the past too,
    and where it follows one, what that one never came to: see `unseen`. Without `published_at` it is a draft that is
    being tried out. `late` are the events that were there before it was published and still waited to be scored as it
    was left.
    """

    number = models.PositiveIntegerField(null=True)
    rules = models.JSONField()
    why = models.CharField(max_length=200, blank=True)
    follows = TenantForeignKey("self", models.PROTECT, null=True, related_name="+")
    again = models.BooleanField(default=False)
    late = models.JSONField(default=list)
    published_at = models.DateTimeField(null=True)
    published_by = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "number"], name="ruleversion_once")]

    def __str__(self) -> str:
        return f"version {self.number}" if self.number else "a draft"

    def unseen(self) -> models.Q:
        """The events that this version may never have come to before it was left: whoever goes back judges them."""
        return models.Q(recorded_at__gte=self.published_at) | models.Q(pk__in=self.late)

    def chain(self) -> list[RuleVersion]:
        """This version and those that it follows: whose points count."""
        found = {one.pk: one for one in RuleVersion.objects.filter(pk__lt=self.pk)} if self.follows_id else {}
        chain, following = [self], self.follows_id
        while following is not None:
            chain.append(found[following])
            following = chain[-1].follows_id
        return chain


class RuleDraft(TenantRow):
    """The rules as somebody is changing them; at most one."""

    rules = models.JSONField()
    edited_at = models.DateTimeField()
    edited_by = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace"], name="ruledraft_once")]


class Basis(TenantRow):
    """By what S is summed: a version, its half-life in days and an epoch; one is in force (design.md, Scoring).

    Another is filled beside it by the worker, `done` leads of `of`; filled, it waits, or with `goes_live` takes its
    place. `figures` is what it would change, for who tries a draft out; `left_at` when it was in force last.
    """

    version = TenantForeignKey(RuleVersion, models.PROTECT, related_name="+")
    half_life = models.FloatField()
    epoch = models.DateTimeField()
    in_force = models.BooleanField(default=True)
    place = models.UUIDField(null=True)
    done = models.PositiveIntegerField(default=0)
    of = models.PositiveIntegerField(default=0)
    pace = models.PositiveIntegerField(default=0)
    filled_at = models.DateTimeField(null=True)
    goes_live = models.BooleanField(default=False)
    left_at = models.DateTimeField(null=True)
    figures = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace"], name="basis_in_force", condition=models.Q(in_force=True))
        ]

    def giver(self) -> RuleVersion:
        """The version by which a new event earns points here.

        One that counts from now on gives none until it is in force: those of the version that it follows are shared.
        """
        version: RuleVersion = self.version
        counts = self.in_force or version.again or version.published_at
        return version if counts or version.follows is None else version.follows

    def weight(self, moment: datetime) -> float:
        """What a point given at `moment` adds to S: 2^((t − E)/h)."""
        return float(2 ** (((moment - self.epoch) / DAY) / self.half_life))

    def now(self, total: float, at: datetime) -> float:
        """Engagement at `at`: S · 2^(−(at − E)/h)."""
        return total / self.weight(at)

    def cuts(self, at: datetime) -> list[float]:
        """The S at which each engagement band begins at `at`: cut · 2^((at − E)/h)."""
        weight = self.weight(at)
        return [cut * weight for cut in self.version.rules["engagement_cuts"]]

    def band(self, total: float, at: datetime) -> int:
        """The engagement band, 1 to 4."""
        return 1 + sum(total >= cut for cut in self.cuts(at))

    def is_ready(self, fit_band: str, engagement_band: int) -> bool:
        """Whether the grid says ready."""
        return engagement_band in self.version.rules["ready"].get(fit_band, [])


class ScorePoint(TenantRow):
    """Points that an event earned by a rule, or a later correction of them; `cause` is the event that made the row."""

    lead = TenantForeignKey(Lead, models.CASCADE, related_name="points", db_index=False)
    event = TenantForeignKey(Event, models.CASCADE, related_name="points", db_index=False)
    version = TenantForeignKey(RuleVersion, models.PROTECT, related_name="+", db_index=False)
    rule = models.CharField(max_length=40)
    cause = TenantForeignKey(Event, models.CASCADE, related_name="+", db_index=False)
    points = models.IntegerField()
    day = models.DateField()
    occurred_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "lead", "event", "rule", "version", "cause"], name="scorepoint_once"
            )
        ]
        indexes = [models.Index(fields=["workspace", "lead", "day"], name="scorepoint_day")]


class LeadScoreQuerySet(models.QuerySet["LeadScore"]):
    def in_force(self) -> LeadScoreQuerySet:
        return self.filter(basis__in_force=True)

    def within(self, basis: Basis, at: datetime, *, fit: str = "", engagement: int = 0) -> LeadScoreQuerySet:
        """The rows of a basis in a fit band, in an engagement band, or in both."""
        found, cuts = self.filter(basis=basis), basis.cuts(at)
        if fit:
            found = found.filter(fit_band=fit)
        if engagement > 1:
            found = found.filter(total__gte=cuts[engagement - 2])
        if 0 < engagement <= len(cuts):
            found = found.filter(total__lt=cuts[engagement - 1])
        return found


class LeadScore(TenantRow):
    """Fit and S of one lead on one basis; narrow on purpose."""

    lead = TenantForeignKey(Lead, models.CASCADE, related_name="scores", db_index=False)
    basis = TenantForeignKey(Basis, models.CASCADE, related_name="+", db_index=False)
    fit = models.SmallIntegerField()
    fit_band = models.CharField(max_length=1)
    total = models.FloatField(default=0.0)

    objects: ClassVar[Any] = scoped(LeadScoreQuerySet)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "lead", "basis"], name="leadscore_once")]
        indexes = [
            models.Index(fields=["workspace", "basis", "-total", "lead"], name="leadscore_order"),
            models.Index(fields=["workspace", "basis", "fit_band", "-total", "lead"], name="leadscore_band"),
        ]

    def seen(self, basis: Basis, at: datetime) -> dict[str, Any]:
        """Both scores as a person reads them: fit, engagement now, band like "A3"."""
        band = basis.band(self.total, at)
        return {
            "fit": self.fit,
            "engagement": basis.now(self.total, at),
            "fit_band": self.fit_band,
            "engagement_band": band,
            "band": f"{self.fit_band}{band}",
        }
