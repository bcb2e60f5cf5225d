"""Marketing's pages of the nurture mails: what they bring, who gets them, and the mails themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import Count, OuterRef, Q, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from funnel.leads.identity import Refused
from funnel.leads.models import Lead
from funnel.mail.actions import NOT_SENT, why_none
from funnel.mail.models import MessageState
from funnel.overview.back import go_back
from funnel.overview.ranking import Choice, listed
from funnel.overview.rows import BASIS, UNKNOWN, grades_of
from funnel.scoring.models import Basis
from funnel.workspaces.asking import Asked, together
from funnel.workspaces.models import Member
from funnel.workspaces.roles import MARKETING, allow, may
from marketing.nurture import actions as nurture
from marketing.nurture import trying
from marketing.nurture.models import WAITS, Enrollment, EnrollmentState, Letter, Step, Stop
from marketing.nurture.words import EXAMPLE, FIELDS, MARKS

PAGE = 50
SEQUENCES = Asked(lambda: nurture.Mails.objects.select_related("sender__user"))
STEPS = Asked(lambda: Step.objects.kept())
KINDS = {"": "Get them now", "ended": "No more", "back": "Came back"}


class StepForm(forms.Form):
    """A mail of the sequence. The verb judges the values."""

    days = forms.IntegerField(label="Days after the previous mail", error_messages={"required": "Say after how many."})
    subject = forms.CharField(
        label="Subject", max_length=150, strip=False, error_messages={"required": "Write a subject."}
    )
    text = forms.CharField(
        label="Words", widget=forms.Textarea(attrs={"rows": 14}), error_messages={"required": "Write the mail."}
    )


class SetUpForm(forms.Form):
    """Whether the sequence runs, and who signs."""

    is_on = forms.BooleanField(label="Whoever is given back for a reason that says so gets these mails", required=False)
    sender = forms.ChoiceField(label="Signed by", required=False, help_text="Answers go to them.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = Member.objects.active().exclude(role="viewer").select_related("user").order_by("joined_at")
        self.people = {str(one.pk): one for one in people}
        named = ((pk, one.name) for pk, one in self.people.items())
        self.fields["sender"].choices = [("", "The business alone"), *named]  # type: ignore[attr-defined]


@require_safe
@allow("read")
def home(request: Any) -> HttpResponse:
    """What each mail did, and who gets them."""
    return _home(request)


def _home(request: Any, *, status: int = 200, form: SetUpForm | None = None) -> HttpResponse:
    kind = request.GET.get("is", "")
    if kind not in KINDS:
        raise BadRequest("There is no such list.")
    asked = Choice.of(request.GET)
    (basis,), sequences, kept = together([(BASIS, []), (SEQUENCES, []), (STEPS, [])])
    sequence = next(iter(sequences), None)
    rows, after = _page(kind, asked, request.GET.get("after", ""), basis=basis, at=request.at)
    steps, total = _steps(kept)
    signer, reader = sequence.signer if sequence else None, trying.reader() if steps else None
    initial = {"is_on": sequence.is_on, "sender": str(sequence.sender_id or "")} if sequence else {}
    may_change = may(request.member, "campaigns.change")
    context = {
        "sequence": sequence,
        "signer": signer,
        "steps": steps,
        "reader": reader,
        "mails": [(one, trying.shown(one, reader, workspace=request.workspace, signer=signer)) for one, _, _ in steps],
        "total": total,
        "may_change": may_change,
        "may_add": len(steps) < nurture.MOST,
        "most": nurture.MOST,
        "form": form or (SetUpForm(initial=initial) if may_change else None),
        "enrollments": rows,
        "kinds": [(label, asked.query(**{"is": name}) or "?", name == kind) for name, label in KINDS.items()],
        "kind": kind,
        "asked": asked,
        "unbanded_url": asked.query(**{"is": kind, "band": ""}) or "?",
        "next_url": asked.query(**{"is": kind, "after": after}) if after else "",
        "counts": Enrollment.objects.aggregate(
            all=Count("pk"),
            now=Count("pk", filter=Q(state=EnrollmentState.ACTIVE)),
            back=Count("pk", filter=Q(came_back_at__isnull=False)),
        ),
    }
    return render(request, "marketing/nurture.html", context, status=status)


def _steps(kept: list[Step]) -> tuple[list[Any], dict[str, int]]:
    """The mails in their order with what each did, and the sums of all that were ever sent.

    Who came back counts at the latest mail that had reached them by then; `before` are those whom none had.
    """
    counted = {
        row["step"]: row
        for row in Letter.objects.order_by()
        .values("step")
        .annotate(
            sent=Count("pk", filter=Q(message__state=MessageState.SENT)),
            waits=Count("pk", filter=Q(message__state__in=WAITS)),
            doubt=Count("pk", filter=Q(message__state=MessageState.UNKNOWN)),
            clicked=Count("pk", filter=Q(clicked_at__isnull=False)),
        )
    }
    had = Letter.objects.filter(
        enrollment=OuterRef("pk"), message__state=MessageState.SENT, message__sent_at__lte=OuterRef("came_back_at")
    )
    came = dict(
        Enrollment.objects.filter(came_back_at__isnull=False)
        .order_by()
        .annotate(mail=Subquery(had.order_by("-position").values("step")[:1]))
        .values_list("mail")
        .annotate(many=Count("pk"))
    )
    before = came.pop(None, 0)
    nothing = {"sent": 0, "waits": 0, "doubt": 0, "clicked": 0}
    total = {name: sum(row[name] for row in counted.values()) for name in nothing}
    rows = [(one, counted.get(one.pk, nothing), came.get(one.pk, 0)) for one in kept]
    return rows, total | {"back": sum(came.values()), "before": before}


def _page(kind: str, asked: Choice, after: str, *, basis: Basis, at: datetime) -> tuple[list[Any], str]:
    """One page of those who get them, or no more, each with both scores, and the cursor of the next or a blank."""
    found = Enrollment.objects.select_related("lead").annotate(had=Count("letters"))
    if kind == "back":
        found = found.filter(came_back_at__isnull=False)
    else:
        active = Q(state=EnrollmentState.ACTIVE)
        found = found.filter(active if kind == "" else ~active)
    rows, following = listed(asked, found, "-enrolled_at", kind="nurture", basis=basis, at=at, after=after, size=PAGE)
    grades = grades_of([one.lead_id for one in rows], at=at, basis=basis)
    return [(one, grades.get(one.lead_id, UNKNOWN)) for one in rows], following


@require_POST
@allow("campaigns.change")
def set_up(request: Any) -> HttpResponse:
    """Switch the sequence on or off, and say who signs."""
    form = SetUpForm(request.POST)
    if form.is_valid():
        sequence = nurture.sequence_of(request.workspace, at=request.at)
        sender = form.people.get(form.cleaned_data["sender"])
        try:
            nurture.set_up(sequence, is_on=form.cleaned_data["is_on"], sender=sender)
        except Refused as refused:
            form.add_error("is_on", refused.sentence)
        else:
            messages.success(request, "Saved. The mails are on." if sequence.is_on else "Saved. The mails are off.")
            return redirect("marketing:nurture")
    return _home(request, status=422, form=form)


@require_http_methods(["GET", "HEAD", "POST"])
@allow("campaigns.change")
def add(request: Any) -> HttpResponse:
    """Write another mail."""
    return _edit(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@allow("campaigns.change")
def step(request: Any, pk: int) -> HttpResponse:
    """Change a mail; what went before stays as it went."""
    return _edit(request, get_object_or_404(Step.objects.kept(), pk=pk))


def _edit(request: Any, one: Step | None) -> HttpResponse:
    initial = {name: getattr(one, name) for name in ("days", "subject", "text")} if one else {"days": 7}
    form, title = StepForm(request.POST or None, initial=initial), one.title if one else ""
    if request.method == "POST" and form.is_valid():
        if one is None:
            one_now = Step(workspace=request.workspace, sequence=nurture.sequence_of(request.workspace, at=request.at))
        else:
            one_now = one
        for name, value in form.cleaned_data.items():
            setattr(one_now, name, value)
        try:
            nurture.keep_step(one_now)
        except Refused as refused:
            for name, sentence in refused.errors.items():
                form.add_error(name, sentence)
        else:
            messages.success(request, f"“{one_now.title}” is saved.")
            return redirect("marketing:nurture")
    fields = [(MARKS[name], words) for name, words in FIELDS.items()]
    context = {"form": form, "step": one, "title": title, "fields": fields, "example": EXAMPLE}
    return render(request, "marketing/nurture_step.html", context, status=422 if form.errors else 200)


@require_POST
@allow("campaigns.change")
def remove(request: Any, pk: int) -> HttpResponse:
    """Take a mail out of the sequence."""
    one = get_object_or_404(Step.objects.kept(), pk=pk)
    nurture.remove_step(one, at=request.at)
    messages.success(request, f"“{one.title}” is sent to nobody any more.")
    return redirect("marketing:nurture")


@require_POST
@allow("campaigns.change")
def test(request: Any, pk: int) -> HttpResponse:
    """Mail a mail of the sequence to oneself."""
    one = get_object_or_404(Step.objects.kept().select_related("sequence__sender__user"), pk=pk)
    member: Member = request.member
    trying.send(one, trying.reader(), to=member, signer=one.sequence.signer, at=request.at)
    none = why_none(request.workspace)
    if none == NOT_SENT:
        whose = "the" if may(member, "business") else "the owner’s"
        messages.warning(request, f"{none}, so the test waits in {whose} local mailbox.")
    else:
        shows = f" {none}: this one shows whether it works." if none else ""
        messages.success(request, f"A test is on its way to {member.email}.{shows}")
    return redirect(reverse("marketing:nurture") + "#read")


@require_POST
@allow("leads.change")
def stop(request: Any, pk: UUID) -> HttpResponse:
    """Stop the mails to one lead: they replied to us, or somebody says so."""
    one = get_object_or_404(Enrollment.objects.select_related("lead__workspace"), pk=pk)
    _changes(request, one.lead)
    if "replied" in request.POST:
        nurture.replied(one.lead, by=request.member, at=request.at)
    else:
        nurture.stop(one, Stop.HAND, at=request.at, by=request.member)
    messages.success(request, f"{one.lead} gets no more of these mails.")
    return go_back(request, reverse("marketing:nurture"))


@require_POST
@allow("campaigns.change")
def enroll(request: Any, pk: UUID) -> HttpResponse:
    """Let a lead get the mails."""
    lead = get_object_or_404(Lead.objects.select_related("workspace"), pk=pk)
    nurture.enroll(lead, by=request.member, at=request.at)
    messages.success(request, f"{lead} gets the nurture mails.")
    return redirect("lead", lead.pk)


@require_POST
@allow("leads.change")
def no_mail(request: Any, pk: UUID) -> HttpResponse:
    """Keep all of marketing's mail from a lead, because they said so to one of us."""
    lead = get_object_or_404(Lead.objects.select_related("workspace"), pk=pk)
    _changes(request, lead)
    new = nurture.no_mail(lead, by=request.member, at=request.at)
    undo = reverse("marketing:nurture-mail-again", args=[lead.pk]) if new else ""
    messages.success(request, f"{lead} gets no mail from marketing any more.", extra_tags=undo)
    return redirect("lead", lead.pk)


@require_POST
@allow("leads.change")
def mail_again(request: Any, pk: UUID) -> HttpResponse:
    """Undo that a lead is to get no mail, which was a slip."""
    lead = get_object_or_404(Lead.objects.select_related("workspace"), pk=pk)
    _changes(request, lead)
    try:
        stopped = nurture.mail_again(lead, by=request.member, at=request.at)
    except nurture.TooLate as refusal:
        messages.warning(request, refusal.sentence)
    else:
        stay = " The mails that stopped with it stay stopped." if stopped else ""
        messages.success(request, f"Taken back. Nobody keeps marketing’s mail from {lead} any more.{stay}")
    return redirect("lead", lead.pk)


def _changes(request: Any, lead: Lead) -> None:
    """Only who may change a lead may stop its mails."""
    if request.member.role not in MARKETING:
        get_object_or_404(Lead.objects.changeable_by(request.member), pk=lead.pk)
