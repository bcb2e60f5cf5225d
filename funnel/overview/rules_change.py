"""Change the rules: a draft that leaves what is in force alone, what it would change, and its publishing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from textwrap import shorten
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from funnel.handoff.preview import becoming_ready, moving
from funnel.leads.fields import FieldBook
from funnel.leads.identity import Refused
from funnel.leads.models import Lead
from funnel.overview.paging import PAGE, cursor, read
from funnel.overview.ranking import Choice, ranked
from funnel.overview.rows import UNKNOWN
from funnel.overview.rules import rules_page
from funnel.overview.rules_forms import EventForm, FitForm, LinesForm, PublishForm, RuleForm, SetForm, seen_of
from funnel.overview.rules_shown import heading, shown
from funnel.scoring import changing
from funnel.scoring.checking import LONG
from funnel.scoring.models import BANDS, Basis, LeadScore, RuleDraft, RuleVersion
from funnel.scoring.rules import labels_for, sentence
from funnel.templatetags.words import plural
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow

FORMS: dict[str, type[RuleForm]] = {"fit": FitForm, "engagement": EventForm}
OVERTAKEN = "The draft was changed meanwhile. Look at it, then say again."


def _rules(request: Any) -> dict[str, Any]:
    """The rules to change: the draft's, else those in force; who posts has them alone."""
    return changing.to_change(request.member.workspace if request.method == "POST" else None)


def _draft() -> dict[str, Any] | None:
    draft = RuleDraft.objects.first()
    return draft.rules if draft is not None else None


def _overtaken(request: Any, what: Any) -> bool:
    """Whether what a form was filled from is another by now: somebody else changed it, or another page did."""
    return request.POST.get("seen", now := seen_of(what)) != now


def _why(refused: Refused, rules: dict[str, Any]) -> str:
    """The first mistake, with the rule that it is in; what is wrong with a rule as a whole names rules itself."""
    place, says = next(iter(refused.errors.items()))
    part, *at = place.split(".")
    if len(at) < 2:
        return says
    return f"“{shorten(sentence(rules[part][int(at[0])], labels_for(rules)), LONG, placeholder='…')}”: {says}"


def _saved(request: Any, rules: dict[str, Any], place: str) -> HttpResponse:
    """Keep the draft and go back to where it was changed; what can't be is said there."""
    try:
        changing.save_draft(rules, by=request.member, at=request.at)
    except Refused as refused:
        messages.error(request, _why(refused, rules))
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return redirect(f"{reverse('rules')}#{place}")


def _gone(request: Any, part: str, key: str) -> HttpResponse:
    """Answer for a rule that isn't there: one in force was taken away meanwhile, another never was."""
    if all(one["key"] != key for one in changing.in_force().version.rules[part]):
        raise Http404
    messages.error(request, "This rule is no longer in the draft. It stands there as taken away and can be put back.")
    return redirect(f"{reverse('rules')}#{part}")


@require_http_methods(["GET", "HEAD", "POST"])
@allow("rules.change")
def rule_add(request: Any) -> HttpResponse:
    """Add a rule of fit, or with ?of=engagement one of engagement."""
    return _rule(request, "engagement" if request.GET.get("of") == "engagement" else "fit", "")


@require_http_methods(["GET", "HEAD", "POST"])
@allow("rules.change")
def rule(request: Any, part: str, key: str) -> HttpResponse:
    """Change a rule."""
    return _rule(request, part, key)


def _rule(request: Any, part: str, key: str) -> HttpResponse:
    if part not in FORMS:
        raise Http404
    rules, fields = _rules(request), FieldBook().by_name
    there = next((one for one in rules[part] if one["key"] == key), None)
    if key and there is None:
        return _gone(request, part, key)
    kind, says = FORMS[part], ""
    if there is not None:
        says = f"{sentence(there, labels_for(rules))}: {plural(there['points'], 'point')}"
    initial = kind.initial_of(there) if there is not None else {}  # type: ignore[attr-defined]
    country = request.member.workspace.country
    form = kind(request.POST if request.method == "POST" else None, initial=initial, fields=fields, country=country)
    if request.method == "POST" and form.is_valid():
        made = {"key": key or uuid4().hex[:12], **form.rule}
        listed = [made if one is there else one for one in rules[part]] + ([made] if there is None else [])
        try:
            if there is not None and _overtaken(request, there):
                raise Refusal(
                    "Somebody changed this rule meanwhile; what it says now stands above. Keep yours, or go back."
                )
            changing.save_draft({**rules, part: listed}, by=request.member, at=request.at)
        except Refused as refused:
            form.add_error(None, _why(refused, {**rules, part: listed}))
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect(f"{reverse('rules')}#{part}")
    context = {"form": form, "part": part, "key": key, "says": says, "seen": seen_of(there)}
    return render(request, "funnel/overview/rule.html", context, status=422 if form.errors else 200)


@require_POST
@allow("rules.change")
def rule_move(request: Any, part: str, key: str) -> HttpResponse:
    """Swap a rule with its neighbour under the same heading, take it away, or put back what the draft took away."""
    if part not in FORMS:
        raise Http404
    rules, to = _rules(request), request.POST.get("to")
    listed = list(rules[part])
    place = next((place for place, one in enumerate(listed) if one["key"] == key), None)
    if to == "back":
        for at, one in enumerate(changing.in_force().version.rules[part] if place is None else ()):
            if one["key"] == key:
                listed.insert(at, one)
    elif place is None:
        return _gone(request, part, key)
    elif to in ("up", "down"):
        alike = [at for at, one in enumerate(listed) if heading(part, one) == heading(part, listed[place])]
        ahead = [at for at in reversed(alike) if at < place] if to == "up" else [at for at in alike if at > place]
        if ahead:
            listed[place], listed[ahead[0]] = listed[ahead[0]], listed[place]
    elif to == "away":
        listed.pop(place)
    if listed == rules[part]:
        return redirect(f"{reverse('rules')}#{part}")
    # Whoever moves a rule moves it on: the page comes back with it open.
    return _saved(request, {**rules, part: listed}, part if to == "away" else f"{part}-{key}")


@require_POST
@allow("rules.change")
def grid(request: Any) -> HttpResponse:
    """Say which cells are ready; of a page that says which were `shown` as ready only what was pressed counts."""
    rules = _rules(request)
    cells = [(band, place) for band in BANDS for place in range(1, len(rules["engagement_cuts"]) + 2)]
    there = {f"{band}{place}" for band, places in rules["ready"].items() for place in places}
    posted = {f"{band}{place}" for band, place in cells if request.POST.get(f"{band}{place}")}
    pressed = posted ^ (set(request.POST["shown"].split()) if "shown" in request.POST else there)
    ready = (there - pressed) | (posted & pressed)
    chosen = {one: [place for band, place in cells if band == one and f"{band}{place}" in ready] for one in BANDS}
    return _saved(request, {**rules, "ready": chosen}, "ready")


@require_http_methods(["GET", "HEAD", "POST"])
@allow("rules.change")
def lines(request: Any) -> HttpResponse:
    """Say where the bands begin, and how fast points fade."""
    rules = _rules(request)
    now = LinesForm.initial_of(rules)
    form = LinesForm(request.POST if request.method == "POST" else None, initial=now)
    if request.method == "POST" and form.is_valid():
        try:
            if _overtaken(request, now):
                raise Refusal("Somebody changed these lines meanwhile. Keep yours, or go back and look at theirs.")
            changing.save_draft({**rules, **form.changes()}, by=request.member, at=request.at)
        except Refused as refused:
            for place, says in refused.errors.items():
                form.add_error(place if place in form.fields else None, says)
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect(f"{reverse('rules')}#ready")
    context = {"form": form, "seen": seen_of(now)}
    return render(request, "funnel/overview/rule_lines.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@allow("rules.change")
def sets(request: Any) -> HttpResponse:
    """Start from a ready-made set: it becomes the draft, and takes the place of the one that was seen."""
    form = SetForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        _rules(request)
        if not _overtaken(request, _draft()):
            return _saved(request, form.sets[form.cleaned_data["key"]], "ready")
        messages.error(request, OVERTAKEN)
        return redirect("rules-sets")
    draft = RuleDraft.objects.select_related("edited_by__user").first()
    context = {
        "form": form,
        "sets": [{"key": key, **shown(one)} for key, one in form.sets.items()],
        "draft": draft,
        "seen": seen_of(draft.rules if draft is not None else None),
    }
    return render(request, "funnel/overview/rule_sets.html", context, status=422 if form.errors else 200)


def _done(
    request: Any, verb: Callable[[], Basis | None], says: str = "", form: PublishForm | None = None
) -> HttpResponse:
    """Do what ends the draft, but not with another draft than was seen; of what is on its way the page itself tells.

    What was typed into a form that is refused stays in it; where nothing was, a sentence is enough.
    """
    _rules(request)
    try:
        if _overtaken(request, _draft()):
            raise Refusal(OVERTAKEN)
        basis = verb()
    except Refusal as refusal:
        if form is not None and form.cleaned_data["why"]:
            form.add_error(None, str(refusal))
            return rules_page(request, form)
        messages.error(request, str(refusal))
    else:
        if basis is None or basis.in_force:
            messages.success(request, says if basis is None else f"Version {basis.version.number} is in force.")
    return redirect("rules")


@require_POST
@allow("rules.change")
def tried(request: Any) -> HttpResponse:
    """Let the worker say what the draft would change."""
    again = request.POST.get("again") == "yes"
    try:
        changing.try_out(again=again, by=request.member, at=request.at)
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return redirect("rules")


@require_POST
@allow("rules.change")
def publish(request: Any) -> HttpResponse:
    """Put the draft in force."""
    form = PublishForm(request.POST)
    if not form.is_valid():
        return rules_page(request, form)
    again, why = form.cleaned_data["again"] == "yes", form.cleaned_data["why"]
    return _done(
        request,
        lambda: changing.publish(again=again, why=why, by=request.member, at=request.at),
        form=form,
    )


@require_POST
@allow("rules.change")
def dropped(request: Any) -> HttpResponse:
    """Throw the draft away."""
    return _done(request, lambda: changing.drop_draft(by=request.member, at=request.at), "The draft is dropped.")


@require_POST
@allow("rules.change")
def back(request: Any, pk: int) -> HttpResponse:
    """Go back to an earlier version."""
    version = get_object_or_404(RuleVersion.objects.exclude(number=None).exclude(published_at=None), pk=pk)
    return _done(request, lambda: changing.go_back(version, by=request.member, at=request.at))


@require_safe
@allow("read")
def changed(request: Any) -> HttpResponse:
    """List who would become ready by the draft; with ?is=fewer who no longer is, with ?is=moved whose cell changes."""
    found, which = changing.coming(), request.GET.get("is")
    if which not in ("fewer", "moved"):
        which = "more"
    if found is None or not found.filled_at:
        return redirect("rules")
    at, now = request.at, changing.in_force()
    first, second = (found, now) if which == "fewer" else (now, found)
    those = moving(now, found, at) if which == "moved" else becoming_ready(first, second, at)
    leads: Any = Lead.objects.filter(pk__in=those.values("lead_id"))
    after, asked = request.GET.get("after", ""), Choice.of(request.GET)
    if asked.order:
        every = Lead.objects.all()
        page, following = ranked(asked, every, kind="changed", at=at, after=after, within=leads, size=PAGE)
    else:
        leads = asked.narrowed(leads, at).order_by("pk")
        if (place := read("rules.changed", after, 1)) is not None:
            leads = leads.filter(pk__gt=place[0])
        page = list(leads[: PAGE + 1])
        following = cursor("rules.changed", page[PAGE - 1].pk) if len(page) > PAGE else ""
        page = page[:PAGE]
    scores = {
        (one.lead_id, one.basis_id): one for one in LeadScore.objects.filter(basis__in=[now, found], lead__in=page)
    }
    shown = [
        {
            "lead": lead,
            "now": _grade(scores.get((lead.pk, now.pk)), now, at),
            "then": _grade(scores.get((lead.pk, found.pk)), found, at),
        }
        for lead in page
    ]
    context = {
        "which": which, "rows": shown, "asked": asked,
        "next_url": asked.query(**{"is": which, "after": following}) if following else "",
    }  # fmt: skip
    return render(request, "funnel/overview/rule_changed.html", context)


def _grade(score: LeadScore | None, basis: Basis, at: datetime) -> tuple[str, int] | tuple[None, None]:
    return (score.fit_band, basis.band(score.total, at)) if score else UNKNOWN
