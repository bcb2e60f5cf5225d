"""To whom a lead goes, and why to nobody else: who knows it, then the rules, then by turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects

from funnel.handoff import turns
from funnel.handoff.conditions import all_hold, in_words, labels
from funnel.handoff.models import Handoff, Outcome, RoutingRule
from funnel.leads.models import Company, FieldDefinition, Lead
from funnel.scoring.models import LeadScore
from funnel.templatetags.words import day
from funnel.workspaces.asking import Asked, together
from funnel.workspaces.hours import spans
from funnel.workspaces.models import Member, TeamMember, TimeOff, Workspace
from funnel.workspaces.slots import slot

HELD = Asked(
    lambda company: Company.objects.filter(pk__in=[company], holder__isnull=False).values_list("pk", "holder"), UUID
)
EARLIER = Asked(
    lambda lead: (
        Handoff.objects.filter(lead__in=[lead], closed_by__isnull=False)
        .filter(outcome__in=[Outcome.ACCEPTED, Outcome.GIVEN_BACK])
        .order_by("opened_at")
        .values_list("lead_id", "closed_by")
    ),
    UUID,
)
RULES = Asked(lambda: RoutingRule.objects.select_related("to__user", "team"))
TURNS = Asked(
    lambda: Member.objects.taking_leads().order_by("pk").select_related("user").select_for_update(of=("self",))
)
Route = tuple[Member | None, dict[str, Any]]
# Somebody who knows a lead, and why.
Known = tuple[Member, str]


class Rules:
    """The rules of the open workspace in their order, with whom their teams are and how they read."""

    def __init__(self, rules: Iterable[RoutingRule] | None = None) -> None:
        found = RULES.rows() if rules is None else rules
        self.rules = list(found)
        self.names = labels(FieldDefinition.objects.all() if self.rules else ())
        asks_channel = any(one["field"] == "channel" for rule in self.rules for one in rule.conditions)
        self.channels = dict(slot("origins")[0]()[0]) if asks_channel else {}
        self.teams: dict[int, set[UUID]] = {}
        teams = [rule.team_id for rule in self.rules if rule.team_id]
        if teams:
            for team, member in TeamMember.objects.filter(team__in=teams).values_list("team", "member"):
                self.teams.setdefault(team, set()).add(member)

    def read(self, leads: Sequence[Lead]) -> None:
        """Read of the leads, by one query, what the conditions ask for and a row of a lead doesn't say."""
        if any(one["field"] in ("channel", "campaign") for rule in self.rules for one in rule.conditions):
            prefetch_related_objects(leads, "source")

    def that_hold(self, lead: Lead, fit_band: str) -> list[RoutingRule]:
        """Those whose conditions hold for a lead."""
        return [rule for rule in self.rules if all_hold(rule.conditions, lead, fit_band)]

    def words(self, rule: RoutingRule) -> str:
        """When a rule holds: “Region is Scotland”."""
        said = in_words(rule.conditions, self.names, self.channels)
        return said[:1].upper() + said[1:]


class Rotation:
    """The members who take leads and are not away, in the order of their turn; one serves a batch."""

    def __init__(self, members: Sequence[Member], off: Sequence[TimeOff], rules: Rules, workspace: Workspace) -> None:
        self.members, self.off, self.rules, self.workspace = members, off, rules, workspace
        self.here: list[Member] = []
        self.away: dict[UUID, str] = {}
        # The day on which a lead is worked, where it is to come and somebody stands aside because of it.
        self.later: date | None = None
        self.moved: dict[UUID, Member] = {}

    @classmethod
    def locked(cls, at: datetime, workspace: Workspace) -> Rotation:
        """Give the turns as they stand, locked until the transaction ends."""
        # Locked by id first: two workers that hand over at once may neither deadlock nor give one turn twice.
        return cls.of(TURNS.rows(), at, Rules(), workspace)

    @classmethod
    def of(cls, members: Sequence[Member], at: datetime, rules: Rules, workspace: Workspace) -> Rotation:
        """Give the turns of these members as they stand."""
        off = TimeOff.objects.filter(last__gte=workspace.local(at).date())
        rotation = cls(members, list(off), rules, workspace)
        rotation.come_to(at)
        return rotation

    def come_to(self, at: datetime) -> None:
        """Go on to a moment: who is away then, or doesn't work on the day that a lead is worked, stands aside."""
        self.at = at
        today, worked = self.workspace.local(at).date(), begins(self.workspace, at)
        self.away = {one.pk: f"doesn’t work on {worked:%A}s" for one in self.members if not one.works_on(worked)}
        off: dict[UUID, list[TimeOff]] = {}
        for one in sorted((one for one in self.off if one.last >= today), key=lambda one: one.first):
            off.setdefault(one.member_id, []).append(one)
        gone = {pk: rows for pk, rows in off.items() if rows[0].first <= worked}
        self.away |= {pk: self._away(rows, today) for pk, rows in gone.items()}
        here = [one for one in self.members if one.pk not in self.away]
        aside = (gone.get(one.pk) for one in self.members if one.pk in self.away)
        later = worked > today and any(rows is None or rows[0].first > today for rows in aside)
        self.later = worked if later else None
        turns.begin_week(here, today)
        # Between equals who waits longest comes first; ids made in the same millisecond have no order.
        self.here = sorted(
            here, key=lambda one: (one.last_turn_at is not None, one.last_turn_at, one.joined_at, one.pk)
        )

    def _away(self, off: Sequence[TimeOff], today: date) -> str:
        """From when on somebody is away and until when, by their days off; with no working day between they are one."""
        first, last = off[0].first, off[0].last
        for one in off[1:]:
            back = datetime.combine(last + timedelta(days=1), time(), self.workspace.zone)
            if one.first > begins(self.workspace, back):
                break
            last = one.last
        until = f"up to and including {day(last)}"
        return f"is away, {until}" if first <= today else f"is away from {day(first)}, {until}"

    def route(
        self,
        lead: Lead,
        *,
        known: Sequence[Known] = (),
        tried: Collection[UUID] = (),
        fit_band: str = "",
    ) -> Route:
        """Give the member for a lead, or None for the pool, with the sentence and the rows that explain it.

        `known` are those who go before rules and turns: who held the lead, the account or the company. Neither such
        a lead nor one that a rule sends to a person is counted as their turn.
        """
        free = {one.pk: one for one in self.here if one.pk not in tried}
        passed_over: list[str] = []
        for one, why in known:
            says = why.format(name=one.name)
            if one.pk in free:
                rows = self._rows(one, says, tried, f"{says.removesuffix('.')}, which goes before rules and turns.")
                return one, {"by": "known", "says": " ".join([*passed_over, says]), "rows": rows}
            passed_over.append(f"{says.removesuffix('.')}, but {self._why_not(one, tried)}.")
        for rule in self.rules.that_hold(lead, fit_band):
            reads = f"Rule “{rule.name}”: {self.rules.words(rule)}"
            if rule.to is not None:
                if rule.to_id in free:
                    says = f"{reads}, so it goes to {rule.to.name}."
                    rows = self._rows(free[rule.to_id], says, tried, f"The rule “{rule.name}” goes before turns.")
                    return free[rule.to_id], {"by": "rule", "rule": rule.name, "says": says, "rows": rows}
                passed_over.append(f"{reads}, but {rule.to.name} {self._why_not(rule.to, tried)}.")
                continue
            among = self.rules.teams.get(rule.team_id or 0, set())
            chosen, by_turn = self._turn([one for one in free.values() if one.pk in among])
            if chosen is not None:
                says = f"{reads}, so it goes to the team {rule.team}. There it is {self._whose(chosen, by_turn)}"
                rows = self._rows(chosen, says, tried, f"Is not in the team {rule.team}.", by_turn)
                self._count(chosen, by_turn)
                return chosen, {"by": "rule", "rule": rule.name, "says": says, "rows": rows}
            passed_over.append(f"{reads}, but nobody of the team {rule.team} can take it now.")
        chosen, by_turn = self._turn(list(free.values()))
        before = " ".join(passed_over) + (" " if passed_over else "")
        if chosen is None:
            says = before + self._why_nobody(free)
            return None, {"by": "pool", "says": says, "rows": self._rows(None, "", tried, "Takes none by turn.")}
        says = f"{before}It is {self._whose(chosen, by_turn)}"
        rows = self._rows(chosen, says, tried, "Takes none by turn.", by_turn)
        self._count(chosen, by_turn)
        return chosen, {"by": "rotation", "says": says, "rows": rows}

    def _turn(self, among: Sequence[Member]) -> tuple[Member | None, list[Member]]:
        by_turn = turns.in_order([one for one in among if one.weekly_leads])
        return (by_turn[0] if by_turn else None), by_turn

    def _whose(self, chosen: Member, by_turn: Sequence[Member]) -> str:
        # Over their share somebody is asked who is the only one left, or the others had more of theirs.
        alone = len(by_turn) == 1 and chosen.week_turns > chosen.weekly_leads
        return f"{chosen.name}’s turn: {turns.had(chosen)}{'; nobody else can get it by turn' if alone else ''}."

    def _count(self, chosen: Member, among: Sequence[Member]) -> None:
        turns.give(chosen, among)
        self.here.remove(chosen)
        self.here.append(chosen)
        chosen.last_turn_at = self.at
        self.moved[chosen.pk] = chosen

    def _why_not(self, one: Member, tried: Collection[UUID]) -> str:
        if one.pk in tried:
            return "had this lead before"
        if one.pk in self.away:
            return self.away[one.pk]
        return "takes no leads" if one.active else "doesn’t work here any more"

    def _why_nobody(self, free: Collection[UUID]) -> str:
        if free:
            return "Nobody takes leads by turn at the moment."
        if len(self.here) == len(self.members):
            here, away = "takes leads", ""
        elif self.later:
            here, away = f"is here now and on {day(self.later)}", f"is away now or on {day(self.later)}"
        else:
            here, away = "is here", "is away"
        if self.here:
            return f"Everybody who {here} has had this one already."
        return f"Everybody who takes leads {away}." if away else "Nobody takes leads at the moment."

    def _rows(
        self, chosen: Member | None, says: str, tried: Collection[UUID], others: str, by_turn: Sequence[Member] = ()
    ) -> list[dict[str, Any]]:
        """Why this one, and of everybody else why not, in the order of their turns."""
        place = {one.pk: number for number, one in enumerate(by_turn, 1)}
        rows = []
        for one in sorted(self.here, key=lambda one: place.get(one.pk, len(place) + 1)):
            if one == chosen:
                why = says
            elif one.pk in tried:
                why = "Had this lead before."
            elif one.pk in place:
                why = f"Comes later, number {place[one.pk]} in turn: {turns.had(one)}."
            else:
                why = "Takes none by turn." if by_turn and not one.weekly_leads else others
            rows.append({"member": str(one.pk), "name": one.name, "says": why, "chosen": one == chosen})
        for one in self.members:
            if one.pk in self.away:
                why = f"{self.away[one.pk][:1].upper()}{self.away[one.pk][1:]}."
                rows.append({"member": str(one.pk), "name": one.name, "says": why, "chosen": False})
        return rows

    def save(self) -> None:
        """Keep whose turn it was, in the order in which the turns were given, and what it left owing to each."""
        if not self.moved:
            return
        for place, one in enumerate(sorted(self.moved.values(), key=self.here.index)):
            one.last_turn_at = self.at.replace(microsecond=min(999_999, self.at.microsecond + place))
        Member.objects.bulk_update(self.here, ["last_turn_at", "owed", "week", "week_turns"])


def absence(member: Member, at: datetime, workspace: Workspace) -> str:
    """That somebody who is given a lead by hand is not there when it is worked, as a sentence; a blank if they are."""
    why = Rotation.of([member], at, Rules([]), workspace).away.get(member.pk)
    return f"{member.name} {why}." if why else ""


def begins(workspace: Workspace, at: datetime) -> date:
    """The day on which a lead that comes now is worked: one that comes on a Sunday, on Monday."""
    return workspace.local(next(spans(workspace, at))[0]).date()


def by_arrival(leads: Iterable[Lead]) -> list[Lead]:
    """The leads in the order in which they are handed over."""
    return sorted(leads, key=lambda lead: (lead.received_at, lead.pk))


def shares(rotation: Rotation, leads: Sequence[Lead], bands: Mapping[UUID, str]) -> Counter[UUID | None]:
    """How many of these each would get, were they handed over now, None being the pool; nothing is stored."""
    known = known_members(leads)
    rotation.rules.read(leads)
    routes = (rotation.route(lead, known=known[lead.pk], fit_band=bands.get(lead.pk, "")) for lead in by_arrival(leads))
    return Counter(member.pk if member else None for member, _ in routes)


def known_members(leads: Sequence[Lead]) -> dict[UUID, list[Known]]:
    """Who goes before rules and turns for each lead, one after the other, and why: who looks after this customer, had
    the latest deal with this person or spoke with them, or holds the company."""
    found: dict[UUID, dict[UUID, str]] = {lead.pk: {} for lead in leads}
    for lead in leads:
        if lead.holder_id is not None:
            found[lead.pk][lead.holder_id] = "{name} looks after this customer."
        if lead.way_back and (held_by := lead.way_back.get("with")):
            found[lead.pk].setdefault(UUID(held_by), "{name} had this person before.")
    for plugged in slot("dealt_with"):
        for lead_id, member_id in plugged(list(found)).items():
            found[lead_id].setdefault(member_id, "{name} had a deal with this person.")
    companies = list({lead.company_id for lead in leads if lead.company_id})
    earlier, held = (dict(rows) for rows in together([(EARLIER, [list(found)]), (HELD, [companies])]))
    for lead_id, member_id in earlier.items():
        found[lead_id].setdefault(member_id, "{name} had this person before.")
    for lead in leads:
        if lead.company_id in held:
            found[lead.pk].setdefault(held[lead.company_id], "{name} has this company.")
    ids = {member_id for each in found.values() for member_id in each}
    members = Member.objects.select_related("user").in_bulk(ids) if ids else {}
    return {lead_id: [(members[pk], says) for pk, says in each.items()] for lead_id, each in found.items()}


def fit_bands(leads: Sequence[Lead]) -> dict[UUID, str]:
    """The fit of each lead by the rules in force."""
    rows = LeadScore.objects.filter(basis__in_force=True, lead__in=[lead.pk for lead in leads])
    return dict(rows.values_list("lead", "fit_band"))
