"""People: who works here, as what, who is invited, and who takes over from somebody who leaves."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from funnel.handoff.models import Handoff
from funnel.leads.models import Lead
from funnel.leads.stages import SALES, Stage
from funnel.mail.links import invitation_link
from funnel.people import actions as people
from funnel.people import keys, leaving
from funnel.people.away_views import TimeOffForm, to_come
from funnel.templatetags.words import plural
from funnel.workspaces.models import SELLERS, ApiKey, Invitation, Member, Role
from funnel.workspaces.refusals import Refusal
from funnel.workspaces.roles import allow, may

ROLES = {
    Role.OWNER: "everything",
    Role.MANAGER: "leads, campaigns, forms, people; sees what is stuck",
    Role.MARKETER: "leads, campaigns, forms, import",
    Role.REP: "takes leads, changes their own and what is offered; reads the others",
    Role.VIEWER: "reads leads, campaigns, deals and quotes; changes nothing",
}


MOST_A_WEEK = 1000


class WrongNumber(Refusal):
    """No number of leads a week."""

    status = 422


class InviteForm(forms.Form):
    """Whom to invite, and as what."""

    email = forms.EmailField(label="E-mail", max_length=254, widget=forms.EmailInput({"autocomplete": "off"}))
    role = forms.ChoiceField(label="Role", initial=Role.REP)

    def __init__(self, *args: Any, by: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        shown = [Role.REP, Role.MARKETER, Role.MANAGER, Role.VIEWER]
        if by.role == Role.OWNER:
            shown.append(Role.OWNER)
        self.fields["role"].choices = [(role.value, role.label) for role in shown]  # type: ignore[attr-defined]

    def clean_email(self) -> str:
        """One spelling for one person."""
        email: str = self.cleaned_data["email"].strip().lower()
        validate_email(email)
        return email


def _members(request: HttpRequest) -> list[Member]:
    return list(Member.objects.active().select_related("user", "workspace").order_by("joined_at", "pk"))


def _rows(request: HttpRequest) -> list[dict[str, Any]]:
    me: Member = request.member  # type: ignore[attr-defined]
    counted = Lead.objects.filter(stage__in=[*SALES, Stage.CUSTOMER], holder__isnull=False).order_by()
    kept = counted.values_list("holder").annotate(every=Count("pk"), bought=Count("pk", filter=Q(stage=Stage.CUSTOMER)))
    # "Has now" are those being sold to, as on the page of handoffs; customers that somebody looks after come on top.
    held = {pk: (every - customers, customers) for pk, every, customers in kept}
    members = _members(request)
    owners = sum(1 for one in members if one.role == Role.OWNER)
    return [
        {
            "member": one,
            "me": one.pk == me.pk,
            "may": one.role != Role.OWNER or me.role == Role.OWNER,
            "may_go": one.role != Role.OWNER or owners > 1,
            "roles": [role for role in Role if role != Role.OWNER or me.role == Role.OWNER or one.role == Role.OWNER],
            "sells": one.role in SELLERS,
            "held": held.get(one.pk, (0, 0))[0],
            "customers": held.get(one.pk, (0, 0))[1],
        }
        for one in members
    ]


def _page(
    request: HttpRequest,
    *,
    status: int = 200,
    invite: InviteForm | None = None,
    off: TimeOffForm | None = None,
    **more: Any,
) -> HttpResponse:
    rows = _rows(request)
    invitations = list(Invitation.objects.order_by("-created_at"))
    for one in invitations:
        one.ended = one.expires_at <= request.at  # type: ignore[attr-defined]
        one.link = "" if one.ended else invitation_link(one)
    taking = sum(1 for row in rows if row["member"].takes_leads and row["sells"])
    takes = f"{taking or 'none'} of them {'takes' if taking == 1 else 'take'} leads"
    if len(rows) == 1:
        takes = "who takes leads" if taking else "who takes no leads"
    head = f"{_people(len(rows))}, {takes}."
    if invitations:
        head += f" {plural(len(invitations), 'invitation is', 'invitations are')} out."
    context = {
        "rows": rows,
        "head": head,
        "roles": ROLES.items(),
        "invitations": invitations,
        "form": invite or InviteForm(by=request.member),  # type: ignore[attr-defined]
        "off": off or TimeOffForm(),
        "time_off": to_come(request.workspace, request.at),  # type: ignore[attr-defined]
        **more,
    }
    return render(request, "funnel/people/people.html", context, status=status)


def _people(count: int) -> str:
    return plural(count, "person", "people")


@require_http_methods(["GET", "HEAD", "POST"])
@allow("people")
def people_page(request: HttpRequest) -> HttpResponse:
    """Show who works here; save changed roles and who takes leads, all of them or none."""
    if request.method != "POST":
        return _page(request)
    by: Member = request.member  # type: ignore[attr-defined]
    changed = 0
    try:
        with transaction.atomic():
            rows = [row["member"] for row in _rows(request)]
            # New owners first, so that an owner may hand the business over in one step.
            rows.sort(key=lambda one: request.POST.get(f"role-{one.pk}") != Role.OWNER)
            for one in rows:
                changed += _change(request, one, by)
    except Refusal as refusal:
        return _page(request, status=refusal.status, wrong=refusal.sentence)
    messages.success(request, "Saved." if changed else "Nothing to save: all is as it was.")
    return redirect("people" if may(by, "people") else "home")


def _change(request: HttpRequest, one: Member, by: Member) -> bool:
    at = request.at  # type: ignore[attr-defined]
    role = request.POST.get(f"role-{one.pk}", one.role)
    if role not in Role.values:
        role = one.role
    changed = role != one.role
    if changed:
        people.change_role(one, role=role, by=by, at=at)
        if one.pk == by.pk:
            by.role = role
    takes = bool(request.POST.get(f"takes-{one.pk}"))
    if f"shown-{one.pk}" in request.POST and one.role in SELLERS and takes != one.takes_leads:
        people.take_leads(one, on=takes, by=by, at=at)
        changed = True
    weekly = request.POST.get(f"weekly-{one.pk}", str(one.weekly_leads)).strip()
    if one.role in SELLERS and weekly != str(one.weekly_leads):
        # Digits of other scripts are digits too, and int would read them; a thousand a week is a slip.
        if not (weekly.isascii() and weekly.isdigit() and int(weekly[:9]) <= MOST_A_WEEK):
            raise WrongNumber(f"Leads a week of {one.name}: write a whole number from 0 to {MOST_A_WEEK}.")
        people.set_weekly_leads(one, int(weekly), by=by, at=at)
        changed = True
    return changed


@require_POST
@allow("people")
def invite(request: HttpRequest) -> HttpResponse:
    """Invite somebody, or renew their invitation."""
    by: Member = request.member  # type: ignore[attr-defined]
    form = InviteForm(request.POST, by=by)
    if not form.is_valid():
        return _page(request, status=422, invite=form)
    try:
        with transaction.atomic():
            invitation = people.invite(form.cleaned_data["email"], role=form.cleaned_data["role"], by=by, at=request.at)  # type: ignore[attr-defined]
    except Refusal as refusal:
        form.add_error("email", refusal.sentence)
        return _page(request, status=refusal.status, invite=form)
    messages.success(request, f"{invitation.email} is invited.")
    return redirect(reverse("people") + "#invite")


@require_POST
@allow("people")
def add_time_off(request: HttpRequest) -> HttpResponse:
    """Enter when somebody is away."""
    off = TimeOffForm(request.POST)
    if not off.save(by=request.member, at=request.at):  # type: ignore[attr-defined]
        return _page(request, status=422, off=off)
    messages.success(
        request, f"Entered. {off.cleaned_data['member'].name} is given no leads on these days.{off.booked}"
    )
    return redirect(reverse("people") + "#off")


@require_POST
@allow("people")
def withdraw(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Take an invitation back."""
    invitation = get_object_or_404(Invitation, pk=pk)
    people.withdraw(invitation, by=request.member, at=request.at)  # type: ignore[attr-defined]
    messages.success(request, f"The invitation for {invitation.email} is taken back.")
    return redirect(reverse("people") + "#invite")


@require_http_methods(["GET", "HEAD", "POST"])
@allow("people")
def remove(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Ask who takes over, then take the member out."""
    by: Member = request.member  # type: ignore[attr-defined]
    one: Member = get_object_or_404(Member.objects.active().select_related("user", "workspace"), pk=pk)
    theirs = ApiKey.objects.filter(member=one, revoked_at=None)
    context = {"one": one, "wrong": ""}
    status = 200
    if request.method == "POST":
        successor = None
        if request.POST.get("to"):
            successor = next((heir for heir in _heirs(one) if str(heir.pk) == request.POST["to"]), None)
            if successor is None:
                context["wrong"], status = "Choose who takes over.", 422
        chosen = [key.pk for key in theirs if str(key.pk) in request.POST.getlist("keys")]
        if not context["wrong"]:
            try:
                with transaction.atomic():
                    leaving.remove(one, by=by, at=request.at, successor=successor, keys=chosen)  # type: ignore[attr-defined]
            except Refusal as refusal:
                context["wrong"], status = refusal.sentence, refusal.status
            else:
                messages.success(request, f"{one.name} is removed. Nothing was dropped.")
                return redirect("people" if one.pk != by.pk else "home")
    by_turn = leaving.heirs(one)
    context |= {
        "leads": Lead.objects.filter(leaving.held_by(one)).count(),
        "offers": Handoff.objects.open().filter(offered_to=one).count(),
        "keys": theirs,
        "by_turn": by_turn,
        "heirs": _heirs(one),
        "is_me": one.pk == by.pk,
    }
    return render(request, "funnel/people/remove.html", context, status=status)


def _heirs(one: Member) -> list[Member]:
    return list(
        Member.objects.active().filter(role__in=SELLERS).exclude(pk=one.pk).select_related("user").order_by("joined_at")
    )


@require_POST
@allow("people")
def log_out(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End every log-in of a member."""
    one: Member = get_object_or_404(Member.objects.select_related("user", "workspace"), pk=pk)
    try:
        with transaction.atomic():
            keys.log_out(one, by=request.member, at=request.at)  # type: ignore[attr-defined]
    except Refusal as refusal:
        return _page(request, status=refusal.status, wrong=refusal.sentence)
    messages.success(request, f"{one.name} is logged out everywhere.")
    return redirect("people" if one.pk != request.member.pk else "account_login")  # type: ignore[attr-defined]


@require_POST
@allow("business")
def password(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Make a link by which a member chooses a new password; shown once."""
    one: Member = get_object_or_404(Member.objects.active().select_related("user", "workspace"), pk=pk)
    try:
        with transaction.atomic():
            link = keys.make_password_link(one, by=request.member, at=request.at)  # type: ignore[attr-defined]
    except Refusal as refusal:
        return _page(request, status=refusal.status, wrong=refusal.sentence)
    return _page(request, password_for=one, password_link=link)
