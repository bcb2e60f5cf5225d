"""The business, its people and its integrations."""

from __future__ import annotations

import calendar
import hashlib
import secrets
from datetime import date, datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property

from funnel.workspaces.ids import uuid7
from funnel.workspaces.scoping import TenantForeignKey, TenantRow, scoped

OFFICE_HOURS = [[["09:00", "17:00"]]] * 5 + [[], []]


def office_hours() -> list[list[list[str]]]:
    """Monday to Friday, nine to five: a list per weekday of [from, to] in the workspace's zone."""
    return [list(day) for day in OFFICE_HOURS]


def promises() -> dict[str, dict[str, float]]:
    """Within how many working hours a new lead of each fit is taken, and spoken to."""
    return {fit: {"accept": 8, "contact": 16} for fit in "ABCD"}


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **extra: Any) -> User:
        """Make a person who logs in by e-mail; the address is kept in lower case."""
        user = self.model(email=email.strip().lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person who can log in; a member of one or more workspaces."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True, max_length=254)
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # Counts up to end every log-in that began before; see log_out_everywhere.
    logins_ended = models.PositiveIntegerField(default=0)

    USERNAME_FIELD = "email"
    objects = UserManager()
    # Their active memberships, where they came in by a log-in (login.py).
    places: list[Member]

    def __str__(self) -> str:
        return self.name or self.email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        salt = "funnel.User.get_session_auth_hash"
        return salted_hmac(salt, f"{self.password} {self.logins_ended}", secret, algorithm="sha256").hexdigest()

    def log_out_everywhere(self) -> None:
        """End every session of this person, on every device."""
        self.logins_ended += 1
        self.save(update_fields=["logins_ended"])


class Workspace(models.Model):
    """One business: the tenant."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=120)
    country = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    time_zone = models.CharField(max_length=64)
    hours = models.JSONField(default=office_hours)
    # The days on which the whole business is closed, and what for: {"2026-12-25": "Christmas Day"}.
    closed = models.JSONField(default=dict)
    promises = models.JSONField(default=promises)
    # What stands on quotes and on pages for people outside. `logo` names a file in the workspace's folder,
    # `brand` is a colour like #f2b200.
    address = models.TextField(blank=True)
    tax_number = models.CharField(max_length=120, blank=True)
    logo = models.CharField(max_length=80, blank=True)
    brand = models.CharField(max_length=7, blank=True)
    quote_terms = models.TextField(blank=True)
    is_demo = models.BooleanField(default=False)
    mail_proved_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def local(self, moment: datetime) -> datetime:
        """The moment on the workspace's own clock."""
        return moment.astimezone(self.zone)

    def promise(self, fit: str) -> dict[str, float]:
        """The promise to a lead of this fit, as `promises` has it; who isn't scored counts as the lowest."""
        found: dict[str, float] = self.promises[fit or "D"]
        return found

    @cached_property
    def holidays(self) -> frozenset[date]:
        """The days on which nobody works: no clock runs, and nobody can be booked."""
        return frozenset(map(date.fromisoformat, self.closed))


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    MANAGER = "manager", "Manager"
    MARKETER = "marketer", "Marketer"
    REP = "rep", "Sales rep"
    VIEWER = "viewer", "Viewer"


LEADERS = (Role.OWNER, Role.MANAGER)
SELLERS = (Role.OWNER, Role.MANAGER, Role.REP)


class MemberQuerySet(models.QuerySet["Member"]):
    def active(self) -> MemberQuerySet:
        return self.filter(active=True)

    def taking_leads(self) -> MemberQuerySet:
        """Those to whom a lead may be offered, in the order of their turn."""
        return (
            self.active()
            .filter(takes_leads=True, role__in=SELLERS)
            .order_by(models.F("last_turn_at").asc(nulls_first=True), "joined_at", "id")
        )


class Member(models.Model):
    """A person's place in a workspace; outside row-level security, because log-in must find it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="members")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    active = models.BooleanField(default=True)
    takes_leads = models.BooleanField(default=False)
    # What they can take a week, which is also their share of the leads that go by turn; none by turn at 0.
    weekly_leads = models.PositiveSmallIntegerField(default=10)
    # The weekdays on which they don't work although the business does: "34" is Thursday and Friday.
    days_off = models.CharField(max_length=7, blank=True, default="", db_default="")
    last_turn_at = models.DateTimeField(null=True)
    # Leads by turn that they should have had, less those they had; see funnel/handoff/turns.py.
    owed = models.FloatField(default=0)
    # What they had by turn in the week that began on this Monday.
    week = models.DateField(null=True)
    week_turns = models.PositiveIntegerField(default=0)
    joined_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[Any] = scoped(MemberQuerySet)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="member_once")]

    def __str__(self) -> str:
        return str(self.user)

    @property
    def is_taking(self) -> bool:
        """Whether a lead may be offered to them; many at once are asked by `taking_leads`."""
        return self.active and self.takes_leads and self.role in SELLERS

    def works_on(self, day: date) -> bool:
        """Whether this is a day on which they work where the business does; time off and holidays are not asked."""
        return str(day.weekday()) not in self.days_off

    @property
    def own_days(self) -> str:
        """The days on which they work, in words; blank where these are the business's own."""
        if not self.days_off:
            return ""
        open_on = (day for day, hours in enumerate(self.workspace.hours) if hours and str(day) not in self.days_off)
        return ", ".join(calendar.day_abbr[day] for day in open_on)

    @property
    def name(self) -> str:
        return str(self.user)

    @property
    def first_name(self) -> str:
        return self.name.split()[0]

    @property
    def email(self) -> str:
        return self.user.email

    @property
    def leads_others(self) -> bool:
        """Owner and manager decide for others."""
        return self.role in LEADERS


class Team(TenantRow):
    """Some of the members under one name, to whom leads can be sent together."""

    name = models.CharField(max_length=60)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="team_once")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TeamMember(TenantRow):
    """That a member is of a team; one may be of several."""

    team = TenantForeignKey(Team, models.CASCADE, related_name="places", db_index=False)
    member = TenantForeignKey(Member, models.CASCADE, related_name="+", db_index=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "team", "member"], name="teammember_once")]


class TimeOffQuerySet(models.QuerySet["TimeOff"]):
    def on(self, day: date) -> TimeOffQuerySet:
        """Those that cover a day."""
        return self.filter(first__lte=day, last__gte=day)


class TimeOff(TenantRow):
    """Days on which a member is away, the first and the last of them included; the business's own days."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    member = TenantForeignKey(Member, models.CASCADE, related_name="time_off", db_index=False)
    first = models.DateField()
    last = models.DateField()
    made_at = models.DateTimeField()

    objects: ClassVar[Any] = scoped(TimeOffQuerySet)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(first__lte=models.F("last")), name="time_off_in_order")
        ]
        indexes = [models.Index(fields=["workspace", "last", "member"], name="time_off_last")]


class Invitation(TenantRow):
    """An invitation by e-mail; its link is signed when it is shown or sent, never stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=Role.choices)
    invited_by = TenantForeignKey(Member, models.CASCADE, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "email"], name="invitation_once")]


SCOPES = ("leads", "campaigns", "deals", "ledger", "reports", "members")


class ApiKey(models.Model):
    """An integration's key: shown once, kept as its SHA-256, acting as a member.

    Outside row-level security, because the key is what tells the workspace.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    member = TenantForeignKey(Member, models.CASCADE, related_name="keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects: ClassVar[Any] = scoped()

    @staticmethod
    def make_secret() -> str:
        """A new key as the integration will send it: 256 random bits behind the prefix "bt_"."""
        return "bt_" + secrets.token_urlsafe(32)

    @staticmethod
    def digest_of(secret: str) -> str:
        return hashlib.sha256(secret.encode()).hexdigest()

    def allows(self, scope: str) -> bool:
        return "all" in self.scopes or scope in self.scopes


class PublicDoor(models.Model):
    """Which workspace a public token belongs to; outside row-level security and without anything personal."""

    digest = models.CharField(primary_key=True, max_length=64)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")

    objects: ClassVar[Any] = scoped()

    @staticmethod
    def digest_of(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()


class AuditEntry(TenantRow):
    """Who changed what about the business, its people, keys, forms and rules; a lead's own audit is its Events."""

    at = models.DateTimeField()
    actor = TenantForeignKey(Member, models.SET_NULL, null=True, related_name="+")
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=120)
    data = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["workspace", "-at"], name="audit_recent")]
