"""Decide to whom leads go: rules in an order, and the teams that they may name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from funnel.handoff.conditions import Condition, faults, plain
from funnel.handoff.models import RoutingRule
from funnel.leads.identity import Refused
from funnel.leads.models import FieldDefinition
from funnel.workspaces.models import SELLERS, AuditEntry, Member, Team, TeamMember
from funnel.workspaces.refusals import Forbidden, Refusal
from funnel.workspaces.slots import slot

MOST_RULES, MOST_TEAMS, LONGEST_TEAM = 50, 30, 60


class NotForYou(Forbidden):
    """Only an owner or a manager decides to whom leads go."""


class InUse(Refusal):
    """A rule sends leads to this team."""


def _leads(by: Member) -> None:
    if not by.leads_others:
        raise NotForYou("Only an owner or a manager decides to whom leads go.")


def _audit(by: Member, action: str, target: str, at: datetime, **data: Any) -> None:
    AuditEntry.objects.create(workspace=by.workspace, at=at, actor=by, action=action, target=target[:120], data=data)


def mistakes(
    rule: RoutingRule | None, *, name: str, conditions: Sequence[Condition], to: Member | None, team: Team | None
) -> dict[str, str]:
    """What is wrong with a rule as it would be saved, a sentence by field or by "conditions.PLACE"."""
    found = {}
    others = list(RoutingRule.objects.exclude(pk=rule.pk if rule else None))
    if not name.strip():
        found["name"] = "Give the rule a name; it is shown to whoever gets the lead."
    elif any(one.name.casefold() == name.strip().casefold() for one in others):
        found["name"] = "There is a rule of this name already."
    channels, _ = slot("origins")[0]()
    named = {word for one in conditions if one["field"] == "campaign" for word in one.get("value", ())}
    known = {plain("campaign", said) for said in slot("campaigns_meant")[0](named).values()} if named else ()
    wrong = faults(conditions, list(FieldDefinition.objects.all()), channels=dict(channels), campaigns=known)
    found |= {f"conditions.{place}": says for place, says in wrong.items()}
    before = [one for one in others if rule is None or one.position < rule.position]
    same = next((one for one in before if _same(one.conditions, conditions)), None)
    if same is not None and not wrong:
        found["conditions.0"] = f"“{same.name}” asks the same and comes first, so this rule would never decide."
    if (to is None) == (team is None):
        found["target"] = "Choose to whom they go."
    elif to is not None and not to.active:
        found["target"] = f"{to.name} doesn’t work here any more. Choose somebody else."
    elif to is not None and (to.role not in SELLERS or not to.takes_leads):
        found["target"] = f"{to.name} takes no leads. Switch that on at People, or choose somebody else."
    elif team is not None and not takers(team):
        found["target"] = f"Nobody of the team {team} takes leads by turn."
    if rule is None and len(others) >= MOST_RULES:
        found.setdefault("name", f"There are {MOST_RULES} rules already; take one away first.")
    return found


def _same(first: Sequence[Condition], second: Sequence[Condition]) -> bool:
    def plain(conditions: Sequence[Condition]) -> list[tuple[str, str, list[str]]]:
        return sorted((c["field"], c["is"], sorted(v.casefold() for v in c.get("value", []))) for c in conditions)

    return plain(first) == plain(second)


def takers(team: Team) -> list[Member]:
    """Those of a team who take leads by turn."""
    places = TeamMember.objects.filter(team=team).values("member")
    return list(Member.objects.taking_leads().filter(pk__in=places, weekly_leads__gt=0).select_related("user"))


@transaction.atomic
def put_rule(
    rule: RoutingRule | None,
    *,
    name: str,
    conditions: Sequence[Condition],
    to: Member | None,
    team: Team | None,
    by: Member,
    at: datetime,
) -> RoutingRule:
    """Add a rule at the end, or change one; raise Refused with a sentence by field, or NotForYou."""
    _leads(by)
    if wrong := mistakes(rule, name=name, conditions=conditions, to=to, team=team):
        raise Refused(wrong)
    if rule is None:
        last = _locked()[-1:]
        rule = RoutingRule(workspace=by.workspace, position=last[0].position + 1 if last else 0)
    rule.name, rule.conditions, rule.to, rule.team = name.strip(), list(conditions), to, team
    rule.save()
    _audit(by, "routing rule", rule.name, at, conditions=rule.conditions, to=to.email if to else f"team {team}")
    return rule


def _locked() -> list[RoutingRule]:
    return list(RoutingRule.objects.select_for_update(of=("self",)))


@transaction.atomic
def move_rule(rule: RoutingRule, *, up: bool, by: Member, at: datetime) -> None:
    """Let a rule be asked one place earlier or later; the first and the last stay where they are."""
    _leads(by)
    rules = _locked()
    place = next(number for number, one in enumerate(rules) if one.pk == rule.pk)
    other = place - 1 if up else place + 1
    if not 0 <= other < len(rules):
        return
    rules[place], rules[other] = rules[other], rules[place]
    for number, one in enumerate(rules):
        one.position = number
    RoutingRule.objects.bulk_update(rules, ["position"])
    _audit(by, "routing rule moved", rule.name, at, up=up)


@transaction.atomic
def remove_rule(rule: RoutingRule, *, by: Member, at: datetime) -> None:
    """Take a rule away."""
    _leads(by)
    _audit(by, "routing rule removed", rule.name, at, conditions=rule.conditions)
    rule.delete()


@transaction.atomic
def put_team(team: Team | None, *, name: str, members: Collection[Member], by: Member, at: datetime) -> Team:
    """Make a team of these members, or say anew who is in one; raise Refused or NotForYou."""
    _leads(by)
    name = name.strip()
    others = Team.objects.exclude(pk=team.pk if team else None)
    wrong = {}
    if not name:
        wrong["name"] = "Give the team a name."
    elif len(name) > LONGEST_TEAM:
        wrong["name"] = f"Write at most {LONGEST_TEAM} characters; this has {len(name):,}."
    elif others.filter(name__iexact=name).exists():
        wrong["name"] = "There is a team of this name already."
    elif team is None and others.count() >= MOST_TEAMS:
        wrong["name"] = f"There are {MOST_TEAMS} teams already; take one away first."
    if not members:
        wrong["members"] = "Choose who is in the team."
    if wrong:
        raise Refused(wrong)
    if team is None:
        team = Team(workspace=by.workspace)
    team.name = name
    team.save()
    TeamMember.objects.filter(team=team).exclude(member__in=members).delete()
    there = set(TeamMember.objects.filter(team=team).values_list("member", flat=True))
    TeamMember.objects.bulk_create(
        [TeamMember(workspace=by.workspace, team=team, member=one) for one in members if one.pk not in there]
    )
    _audit(by, "team", team.name, at, members=sorted(one.email for one in members))
    return team


@transaction.atomic
def remove_team(team: Team, *, by: Member, at: datetime) -> None:
    """Take a team away; raise InUse while a rule names it."""
    _leads(by)
    rule = RoutingRule.objects.filter(team=team).first()
    if rule is not None:
        raise InUse(f"The rule “{rule.name}” sends leads to the team {team}. Change that rule first.")
    _audit(by, "team removed", team.name, at)
    team.delete()
