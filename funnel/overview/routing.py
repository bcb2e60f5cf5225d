"""Who gets a lead: the rules in their order, the teams, the turns, and the last 30 days tried again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from funnel.handoff import routing_rules, turns
from funnel.handoff.conditions import IS, UNARY, covers, fits, labels, plain, values_of
from funnel.handoff.models import RoutingRule
from funnel.handoff.routing import Rotation, Rules
from funnel.handoff.trial import Share, Trial, try_again
from funnel.leads.fields import lines_of
from funnel.leads.identity import Refused
from funnel.leads.models import FieldDefinition
from funnel.overview.rules_forms import Telling, tells
from funnel.scoring.rules import as_dialled, as_kept, own_of
from funnel.workspaces.models import SELLERS, Member, Team, TeamMember
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow, may
from funnel.workspaces.slots import slot

CONDITIONS, SHOWN, NAMED = 4, 50, 5
TAKES = {how: {"takes": "value", "picks": "many"} for how in IS if how not in UNARY}
TAKES |= {"at_least": {"takes": "value", "picks": "one"}, "contains": {"takes": "value"}}
TAKES["at_most"] = TAKES["at_least"]


class RuleForm(forms.Form):
    """A rule's name, up to four conditions, and to whom its leads go."""

    name = forms.CharField(
        label="Name", max_length=60, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    target = forms.ChoiceField(
        label="They go to",
        required=False,
        error_messages={"invalid_choice": "Nobody of this name takes leads here. Choose somebody else."},
    )

    def __init__(self, *args: Any, country: str, rule: RoutingRule | None = None, **kwargs: Any) -> None:
        self.country = country
        self.rule, self.own = rule, {one.name: one for one in FieldDefinition.objects.all()}
        self.channels, self.campaigns = slot("origins")[0]()
        if rule is not None:
            kwargs["initial"] = self._initial(rule)
        super().__init__(*args, **kwargs)
        fields, told = [("", "Choose"), *labels([*self.own.values()]).items()], self._told()
        self.places = range(max(CONDITIONS, len(rule.conditions) if rule else 0))
        for place in self.places:
            self.fields[f"field-{place}"] = forms.ChoiceField(
                label=f"Condition {place + 1}", required=False, choices=fields,
                widget=Telling(told, class_="form-select", data_narrows=True),
            )  # fmt: skip
            self.fields[f"is-{place}"] = forms.ChoiceField(
                label="Is", required=False, choices=[*IS.items()],
                widget=Telling(TAKES, class_="form-select", data_when=True),
            )  # fmt: skip
            self.fields[f"value-{place}"] = forms.CharField(
                label="This", required=False, max_length=2000,
                widget=forms.Textarea(
                    {"class": "form-control", "rows": 2, "data-part": "value", "aria-describedby": "values-hint"}
                ),
            )  # fmt: skip
        target = self.fields["target"] = self.fields.pop("target")  # it stands last, also in a list of mistakes
        target.choices = self._targets()  # type: ignore[attr-defined]

    def _told(self) -> dict[str, dict[str, str]]:
        """What can be asked of each field, and what alone can stand in it."""
        names = {"channel": [name for _, name in self.channels], "campaign": self.campaigns}
        told = {}
        for field in labels([*self.own.values()]):
            own = own_of(field, self.own)
            told[field] = tells((how for how in IS if fits(how, field, own)), names.get(field) or values_of(field, own))
        return told | {"": tells((), ())}

    def _initial(self, rule: RoutingRule) -> dict[str, Any]:
        called = dict(self.channels)
        values = {"name": rule.name, "target": f"member-{rule.to_id}" if rule.to_id else f"team-{rule.team_id}"}
        for place, one in enumerate(rule.conditions):
            values |= {f"field-{place}": one["field"], f"is-{place}": one["is"]}
            written = one.get("value", ())
            if one["field"] == "channel":
                written = [called.get(value, value) for value in written]
            values[f"value-{place}"] = "\n".join(written)
        return values

    def _targets(self) -> list[Any]:
        """Those who take leads and the teams; somebody else only where the rule names them still."""
        members = [(f"member-{one.pk}", one.name) for one in Member.objects.taking_leads().select_related("user")]
        kept = self.rule.to if self.rule else None
        if kept is not None and all(key != f"member-{kept.pk}" for key, _ in members):
            members.append((f"member-{kept.pk}", f"{kept.name}, who takes no leads"))
        teams = [(f"team-{one.pk}", one.name) for one in Team.objects.all()]
        return [("", "Choose"), ("People", members), *([("Teams, by turn", teams)] if teams else [])]

    def rows(self) -> list[tuple[Any, Any, Any]]:
        """The fields of each condition, for the template."""
        return [(self[f"field-{one}"], self[f"is-{one}"], self[f"value-{one}"]) for one in self.places]

    def conditions(self) -> list[dict[str, Any]]:
        """The conditions as they are kept; a row without a field is none."""
        given = self.cleaned_data
        found = []
        for place in self.places:
            field, how = given[f"field-{place}"], given[f"is-{place}"] or "one_of"
            if not field:
                continue
            own, values = own_of(field, self.own), lines_of(given[f"value-{place}"])
            if field == "phone":
                values = [as_dialled(one, self.country, part=how == "contains") for one in values]
            else:
                values = _plain(field, [as_kept(one, own) for one in values])
            found.append({"field": field, "is": how} | ({} if how in UNARY else {"value": values}))
        return found

    def values(self) -> dict[str, Any]:
        """What the verb takes."""
        kind, _, key = self.cleaned_data["target"].partition("-")
        return {
            "name": self.cleaned_data["name"],
            "conditions": self.conditions(),
            "to": Member.objects.select_related("user").get(pk=key) if kind == "member" else None,
            "team": Team.objects.get(pk=key) if kind == "team" else None,
        }

    def refuse(self, errors: dict[str, str]) -> None:
        """Say at each field what is wrong with it; rows that were left empty are no conditions."""
        rows = [place for place in self.places if self.cleaned_data.get(f"field-{place}")] or [0]
        for name, sentence in errors.items():
            part, _, place = name.partition(".")
            self.add_error(f"field-{rows[int(place)]}" if part == "conditions" else name, sentence)


def _plain(field: str, values: list[str]) -> list[str]:
    """A channel is written by its name and kept by its key, a campaign as sources say it; fit bands are capitals."""
    if field == "fit":
        return [value.upper() for value in values]
    if field == "channel":
        keys = {plain(field, word): key for key, name in slot("origins")[0]()[0] for word in (key, name)}
        return [keys.get(plain(field, value), value) for value in values]
    if field == "campaign":
        said = slot("campaigns_meant")[0](values)
        return [said.get(value, value) for value in values]
    return values


@require_safe
@allow("read")
def routing(request: Any) -> HttpResponse:
    """Say who gets a lead, in the order in which it is decided."""
    return _page(request)


def _page(request: Any, *, status: int = 200, **refused: Any) -> HttpResponse:
    """The page; of a team that was refused with what is `wrong`, which it is (`at_team`) and what was `typed`."""
    rules = Rules()
    teams = list(Team.objects.all())
    places: dict[int, list[Member]] = {}
    for one in TeamMember.objects.filter(member__active=True).select_related("member__user").order_by("id"):
        places.setdefault(one.team_id, []).append(one.member)
    takers = list(Member.objects.taking_leads().select_related("user"))
    rotation = Rotation.of(takers, request.at, rules, request.workspace)
    turns.begin_week(takers, request.workspace.local(request.at).date())
    in_turn = turns.in_order([one for one in rotation.here if one.weekly_leads])
    sellers = Member.objects.active().filter(role__in=SELLERS).select_related("user").order_by("joined_at")
    last = len(rules.rules) - 1
    return render(
        request,
        "funnel/overview/routing.html",
        {
            "may_change": may(request.member, "leads.go"),
            "rules": [
                {
                    "rule": one,
                    "when": rules.words(one),
                    "idle": _idle(one, rules, takers) or _behind(one, rules.rules[:place], rules, takers),
                    "first": place == 0,
                    "last": place == last,
                }
                for place, one in enumerate(rules.rules)
            ],
            "teams": [(one, here := places.get(one.pk, []), {member.pk for member in here}) for one in teams],
            "sellers": list(sellers),
            "in_turn": in_turn,
            "aside": [(one, rotation.away.get(one.pk, "")) for one in takers if one not in in_turn],
            "whole": sum(one.weekly_leads for one in in_turn),
            **refused,
        },
        status=status,
    )


def _idle(rule: RoutingRule, rules: Rules, takers: list[Member]) -> str:
    """Why a rule can't send anybody anywhere at present, blank where it can."""
    if rule.to is not None:
        if any(one.pk == rule.to_id for one in takers):
            return ""
        why = "takes no leads" if rule.to.active else "doesn’t work here any more"
        return f"{rule.to.name} {why}, so this rule is passed over."
    among = rules.teams.get(rule.team_id or 0, set())
    if any(one.pk in among and one.weekly_leads for one in takers):
        return ""
    return f"Nobody of the team {rule.team} takes leads by turn, so this rule is passed over."


def _behind(rule: RoutingRule, before: list[RoutingRule], rules: Rules, takers: list[Member]) -> str:
    """Which of the rules before takes all that this one asks for, blank where none does."""
    wide = next((one for one in before if covers(one.conditions, rule.conditions)), None)
    if wide is None or _idle(wide, rules, takers):
        return ""
    nobody = f"{wide.to.name} can’t" if wide.to else f"nobody of the team {wide.team} can"
    return f"“{wide.name}” comes first and takes all of these, so this rule decides only while {nobody} take them."


@require_http_methods(["GET", "HEAD", "POST"])
@allow("leads.go")
def add(request: Any) -> HttpResponse:
    """Add a rule at the end."""
    return _edit(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@allow("leads.go")
def edit(request: Any, pk: int) -> HttpResponse:
    """Change a rule."""
    return _edit(request, get_object_or_404(RoutingRule.objects.select_related("to__user", "team"), pk=pk))


def _edit(request: Any, rule: RoutingRule | None) -> HttpResponse:
    country = request.member.workspace.country
    form = RuleForm(request.POST if request.method == "POST" else None, rule=rule, country=country)
    trial, status = None, 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            values = form.values()
            if request.POST.get("do") == "try":
                wrong = routing_rules.mistakes(rule, **values)
                form.refuse(wrong)
                if not wrong:
                    trial, status = _drafted(request, _with(rule, values)), 200
            else:
                try:
                    saved = routing_rules.put_rule(rule, **values, by=request.member, at=request.at)
                except Refused as refused:
                    form.refuse(refused.errors)
                else:
                    rules, takers = Rules(), list(Member.objects.taking_leads().select_related("user"))
                    before = [one for one in rules.rules if one.position < saved.position]
                    if behind := _behind(saved, before, rules, takers):
                        messages.warning(request, f"Saved. {behind}")
                    else:
                        messages.success(request, f"Saved. “{saved.name}” decides from the next lead on.")
                    return redirect("routing")
    context = {"form": form, "rule": rule, "campaigns": form.campaigns[:NAMED]} | (trial or {})
    context["channels"] = [name for _, name in form.channels]
    return render(request, "funnel/overview/routing_rule.html", context, status=status)


def _with(rule: RoutingRule | None, values: dict[str, Any]) -> Rules:
    """The rules as they would be with this one as it stands in the form."""
    rules = list(RoutingRule.objects.select_related("to__user", "team"))
    drafted = RoutingRule(pk=rule.pk if rule else None, position=rule.position if rule else len(rules), **values)
    drafted.name = drafted.name.strip()
    if rule is None:
        return Rules([*rules, drafted])
    return Rules([drafted if one.pk == rule.pk else one for one in rules])


def _drafted(request: Any, rules: Rules) -> dict[str, Any]:
    """The last 30 days by rules that are not saved: by member, and the latest that would go to somebody else."""
    trial = try_again(rules, workspace=request.workspace, at=request.at)
    rows = [row for row in trial.rows[::-1] if row.other]
    return {"trial": trial, "rows": rows[:SHOWN], "count": len(rows), "more": len(rows) - SHOWN}


@require_safe
@allow("read")
def tried(request: Any) -> HttpResponse:
    """Show how the leads of the last 30 days would have gone by the present rules."""
    trial: Trial = try_again(Rules(), workspace=request.workspace, at=request.at)
    who = request.GET.get("who", "")
    chosen: Share | None = next((one for one in trial.shares if one.key == who), None)
    rows = trial.rows[::-1]
    if chosen is not None:
        rows = [row for row in rows if chosen.member in (row.went, row.would)]
    elif request.GET.get("is") == "other":
        rows = [row for row in rows if row.other]
    begin = request.GET.get("after", "")
    start = int(begin) if begin.isascii() and begin.isdigit() and len(begin) < 6 else 0
    asked = f"who={chosen.key}&" if chosen else "is=other&" if request.GET.get("is") == "other" else ""
    context = {
        "trial": trial,
        "chosen": chosen,
        "only_other": request.GET.get("is") == "other" and chosen is None,
        "rows": rows[start : start + SHOWN],
        "count": len(rows),
        "coming": min(SHOWN, len(rows) - start - SHOWN),
        "next_url": f"?{asked}after={start + SHOWN}#leads" if len(rows) > start + SHOWN else "",
    }
    return render(request, "funnel/overview/routing_try.html", context)


@require_POST
@allow("leads.go")
def move(request: Any, pk: int) -> HttpResponse:
    """Let a rule be asked earlier or later."""
    rule = get_object_or_404(RoutingRule, pk=pk)
    routing_rules.move_rule(rule, up=request.POST.get("to") != "down", by=request.member, at=request.at)
    return redirect(f"{reverse('routing')}#rule-{rule.pk}")


@require_POST
@allow("leads.go")
def remove(request: Any, pk: int) -> HttpResponse:
    """Take a rule away."""
    rule = get_object_or_404(RoutingRule, pk=pk)
    routing_rules.remove_rule(rule, by=request.member, at=request.at)
    messages.success(request, f"“{rule.name}” is removed. Its leads go by the other rules, or by turn.")
    return redirect("routing")


@require_POST
@allow("leads.go")
def team_add(request: Any) -> HttpResponse:
    """Make a team."""
    return _team(request, None)


@require_POST
@allow("leads.go")
def team_change(request: Any, pk: int) -> HttpResponse:
    """Say anew what a team is called and who is in it."""
    return _team(request, get_object_or_404(Team, pk=pk))


def _team(request: Any, team: Team | None) -> HttpResponse:
    keys = []
    for word in request.POST.getlist("member"):
        try:
            keys.append(UUID(word))
        except ValueError:
            continue
    members = list(Member.objects.active().filter(role__in=SELLERS, pk__in=keys).select_related("user"))
    name = request.POST.get("name", "").replace("\x00", "")
    try:
        saved = routing_rules.put_team(team, name=name, members=members, by=request.member, at=request.at)
    except Refused as refused:
        typed = {"name": name, "members": {one.pk for one in members}}
        return _page(request, status=422, wrong=refused.errors, at_team=team.pk if team else "new", typed=typed)
    messages.success(request, f"Saved. The team {saved} is {_named(members)}.")
    return redirect(reverse("routing") + "#teams")


def _named(members: list[Member]) -> str:
    names = [one.first_name for one in members]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


@require_POST
@allow("leads.go")
def team_remove(request: Any, pk: int) -> HttpResponse:
    """Take a team away, unless a rule names it."""
    team = get_object_or_404(Team, pk=pk)
    try:
        routing_rules.remove_team(team, by=request.member, at=request.at)
    except Refusal as refusal:
        messages.error(request, refusal.sentence)
    else:
        messages.success(request, f"The team {team.name} is removed.")
    return redirect(reverse("routing") + "#teams")
