"""Change the rules: a draft that leaves what is in force alone, what it would change, and its publishing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from funnel.handoff.preview import becoming_ready
from funnel.leads.fields import FieldBook
from funnel.leads.identity import Refused
from funnel.overview.paging import cursor, read
from funnel.overview.rules_forms import EventForm, FitForm, LinesForm, PublishForm, RuleForm, SetForm
from funnel.scoring import changing
from funnel.scoring.models import BANDS, RuleDraft, RuleVersion
from funnel.scoring.rules import sentence
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow

FORMS: dict[str, type[RuleForm]] = {"fit": FitForm, "engagement": EventForm}
PAGE = 50


def rules_now() -> dict[str, Any]:
    """The rules to change: the draft's, else those in force."""
    draft = RuleDraft.objects.first()
    rules: dict[str, Any] = draft.rules if draft is not None else changing.in_force().version.rules
    return rules


def _saved(request: Any, rules: dict[str, Any], place: str) -> HttpResponse:
    """Keep the draft and go back to where it was changed; what can't be is said there."""
    try:
        changing.save_draft(rules, by=request.member, at=request.at)
    except Refused as refused:
        messages.error(request, next(iter(refused.errors.values())))
    except Refusal as refusal:
        messages.error(request, str(refusal))
    return redirect(f"{reverse('rules')}#{place}")


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
    rules, fields = rules_now(), FieldBook().by_name
    place = next((place for place, one in enumerate(rules[part]) if one["key"] == key), None)
    if key and place is None:
        raise Http404
    kind = FORMS[part]
    initial = kind.initial_of(rules[part][place]) if place is not None else {}  # type: ignore[attr-defined]
    form = kind(request.POST if request.method == "POST" else None, initial=initial, fields=fields)
    if request.method == "POST" and form.is_valid():
        made = {"key": key or uuid4().hex[:12], **form.rule}
        listed = list(rules[part])
        if place is None:
            listed.append(made)
        else:
            listed[place] = made
        try:
            changing.save_draft({**rules, part: listed}, by=request.member, at=request.at)
        except Refused as refused:
            form.add_error(None, next(iter(refused.errors.values())))
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect(f"{reverse('rules')}#{part}")
    context = {
        "form": form,
        "part": part,
        "key": key,
        "says": sentence(rules[part][place]) if place is not None else "",
    }
    return render(request, "funnel/overview/rule.html", context, status=422 if form.errors else 200)


@require_POST
@allow("rules.change")
def rule_move(request: Any, part: str, key: str) -> HttpResponse:
    """Put a rule before or after its neighbour, or take it away."""
    if part not in FORMS:
        raise Http404
    rules = rules_now()
    listed = list(rules[part])
    place = next((place for place, one in enumerate(listed) if one["key"] == key), None)
    if place is None:
        raise Http404
    taken, to = listed.pop(place), request.POST.get("to")
    if to in ("up", "down"):
        listed.insert(max(0, place - 1) if to == "up" else place + 1, taken)
    elif to != "away":
        return redirect(f"{reverse('rules')}#{part}")
    return _saved(request, {**rules, part: listed}, part)


@require_POST
@allow("rules.change")
def grid(request: Any) -> HttpResponse:
    """Say which cells are ready."""
    ready = {band: [place for place in range(1, 5) if request.POST.get(f"{band}{place}")] for band in BANDS}
    return _saved(request, {**rules_now(), "ready": ready}, "ready")


@require_http_methods(["GET", "HEAD", "POST"])
@allow("rules.change")
def lines(request: Any) -> HttpResponse:
    """Say where the bands begin, and how fast points fade."""
    rules = rules_now()
    form = LinesForm(request.POST if request.method == "POST" else None, initial=LinesForm.initial_of(rules))
    if request.method == "POST" and form.is_valid():
        try:
            changing.save_draft({**rules, **form.changes()}, by=request.member, at=request.at)
        except Refused as refused:
            for place, says in refused.errors.items():
                form.add_error(form.PLACES.get(place), says)
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect(f"{reverse('rules')}#ready")
    return render(request, "funnel/overview/rule_lines.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@allow("rules.change")
def sets(request: Any) -> HttpResponse:
    """Start from a ready-made set: it becomes the draft."""
    form = SetForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        return _saved(request, form.sets[form.cleaned_data["key"]], "ready")
    shown = [
        {
            "key": key,
            "id": f"set-{key}",
            "name": one["name"],
            "for": one.get("for", ""),
            "half_life": one["half_life_days"],
            "says": [sentence(each) for each in [*one["fit"], *one["engagement"]]],
        }
        for key, one in form.sets.items()
    ]
    return render(
        request, "funnel/overview/rule_sets.html", {"form": form, "sets": shown}, status=422 if form.errors else 200
    )


def _done(request: Any, verb: Callable[[], Any], says: str, place: str) -> HttpResponse:
    try:
        verb()
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, says)
    return redirect(f"{reverse('rules')}{place}")


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
        messages.error(request, "Write what changed in up to 200 characters.")
        return redirect(f"{reverse('rules')}#publish")
    again, why = form.cleaned_data["again"] == "yes", form.cleaned_data["why"]
    return _done(
        request,
        lambda: changing.publish(again=again, why=why, by=request.member, at=request.at),
        "The new version is on its way into force.",
        "#versions",
    )


@require_POST
@allow("rules.change")
def dropped(request: Any) -> HttpResponse:
    """Throw the draft away."""
    return _done(request, lambda: changing.drop_draft(by=request.member, at=request.at), "The draft is dropped.", "")


@require_POST
@allow("rules.change")
def back(request: Any, pk: int) -> HttpResponse:
    """Go back to an earlier version."""
    version = get_object_or_404(RuleVersion, pk=pk)
    return _done(
        request,
        lambda: changing.go_back(version, by=request.member, at=request.at),
        f"Version {version.number}’s rules are on their way back into force.",
        "#versions",
    )


@require_safe
@allow("read")
def changed(request: Any) -> HttpResponse:
    """List who would become ready by the draft, or with ?is=fewer who would no longer be it."""
    found, which = changing.coming(), "fewer" if request.GET.get("is") == "fewer" else "more"
    if found is None or not found.filled_at:
        return redirect("rules")
    at, now = request.at, changing.in_force()
    first, second = (now, found) if which == "more" else (found, now)
    scores = becoming_ready(first, second, at).select_related("lead").order_by("lead_id")
    if (place := read("rules.changed", request.GET.get("after", ""), 1)) is not None:
        scores = scores.filter(lead_id__gt=place[0])
    rows = list(scores[: PAGE + 1])
    other = {
        one.lead_id: one
        for one in type(rows[0]).objects.filter(basis=first, lead__in=[row.lead_id for row in rows[:PAGE]])
    } if rows else {}  # fmt: skip
    shown = []
    for row in rows[:PAGE]:
        was, would = (other.get(row.lead_id), row) if which == "more" else (row, other.get(row.lead_id))
        shown.append(
            {
                "lead": row.lead,
                "now": (was.fit_band, now.band(was.total, at)) if was else (None, None),
                "then": (would.fit_band, found.band(would.total, at)) if would else (None, None),
            }
        )
    following = cursor("rules.changed", rows[PAGE - 1].lead_id) if len(rows) > PAGE else ""
    context = {
        "which": which, "rows": shown, "page": PAGE,
        "next_url": f"{reverse('rules-changed')}?is={which}&after={following}" if following else "",
    }  # fmt: skip
    return render(request, "funnel/overview/rule_changed.html", context)
