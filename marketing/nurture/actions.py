"""Enroll a lead in the nurture mails, write the next one, and stop."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from funnel.leads.identity import Refused
from funnel.leads.models import Lead, Suppression
from funnel.leads.stages import SALES, Stage
from funnel.leads.suppressing import agreed_to_mail, digest_of, lift, suppress, suppression_of
from funnel.mail import actions as mail
from funnel.outbox.actions import record
from funnel.outbox.models import Event
from funnel.workspaces.asking import Asked
from funnel.workspaces.doors import open_door, token_for
from funnel.workspaces.models import Member, Workspace
from funnel.workspaces.refusals import Refusal
from marketing.nurture.models import Enrollment, EnrollmentState, Letter, Step, Stop
from marketing.nurture.models import Sequence as Mails
from marketing.nurture.words import check, filled, pieces, values_for

DOOR = "nurture"
GOING_ON = Asked(
    lambda lead: Enrollment.objects.filter(lead__in=[lead]).exclude(state=EnrollmentState.STOPPED).values_list("pk"),
    UUID,
)
MOST, LONGEST_GAP = 5, 90
# For so long it can be undone that one of us wanted no mail for somebody.
UNDO_WITHIN = timedelta(days=1)
WITH_MARKETING = (Stage.NEW, Stage.NURTURING, Stage.LOST)


class NoMails(Refusal):
    """Why somebody can't get the nurture mails, in a sentence."""

    def __init__(self, sentence: str, why: Stop | None = None) -> None:
        super().__init__(sentence)
        self.why = why


class TooLate(Refusal):
    """An undo after its day, or of what a lead said themselves."""


# ── the sequence ──


def sequence_of(workspace: Workspace, *, at: datetime) -> Mails:
    """The workspace's one sequence, made when it is first asked for."""
    found: Mails = Mails.objects.get_or_create(workspace=workspace, defaults={"made_at": at})[0]
    return found


@transaction.atomic
def set_up(sequence: Mails, *, is_on: bool, sender: Member | None) -> None:
    """Say whether the sequence runs and who signs; raise Refused where there is nothing to send."""
    if is_on and not Step.objects.kept().exists():
        raise Refused({"is_on": "Write the first mail before you switch it on."})
    sequence.is_on, sequence.sender = is_on, sender
    sequence.save(update_fields=["is_on", "sender"])


@transaction.atomic
def keep_step(step: Step) -> Step:
    """Add or change a mail of the sequence; raise Refused for one that can't be sent."""
    errors = {}
    try:
        step.subject, step.text = check(step.subject, step.text)
    except Refused as refused:
        errors = refused.errors
    if step.days is None or not 0 <= step.days <= LONGEST_GAP:
        errors["days"] = f"Choose 0 to {LONGEST_GAP} days."
    Mails.objects.select_for_update().get(pk=step.sequence_id)
    if step.pk is None:
        kept = list(Step.objects.kept())
        if len(kept) >= MOST:
            errors["subject"] = f"There are {MOST} mails already, and nobody reads more. Take one out first."
        last = Step.objects.order_by("-position").values_list("position", flat=True).first()
        step.position = 1 + (last or 0)
    if errors:
        raise Refused(errors)
    step.save()
    return step


@transaction.atomic
def remove_step(step: Step, *, at: datetime) -> None:
    """Take a mail out: it is sent to nobody any more, and stays where it was sent."""
    Step.objects.filter(pk=step.pk).update(removed_at=at)
    if not Step.objects.kept().exists():
        Mails.objects.filter(pk=step.sequence_id).update(is_on=False)


# ── one lead's time with it ──


def stop_for(lead: Lead, *, since: datetime | None, address: str = "") -> Stop | None:
    """Why a lead may not be sent a nurture mail now; None where it may. Read from what is there, not from an effect.

    `since` is when they were enrolled: whoever has answered or asked for contact after that is a person's to talk to.
    """
    if suppressed := suppression_of(lead.workspace_id, lead.email, address):
        return Stop.BOUNCED if suppressed.why == Suppression.Why.BOUNCED else Stop.UNSUBSCRIBED
    if lead.stage == Stage.CUSTOMER:
        return Stop.CUSTOMER
    if lead.stage not in WITH_MARKETING:
        return Stop.HANDED if lead.stage == Stage.READY else Stop.SALES if lead.stage in SALES else Stop.ENDED
    if not lead.email:
        return Stop.ADDRESS
    if not agreed_to_mail(lead):
        return Stop.CONSENT
    if since is not None:
        spoke = Q(kind__in=("email_reply", "contact_request")) | Q(data__asks=True)
        said = Event.objects.in_force().filter(spoke, lead=lead, recorded_at__gt=since).order_by("id").first()
        if said is not None:
            return Stop.REPLIED if said.kind == "email_reply" else Stop.ASKED
    return None


def next_step(lead: Lead, after: int) -> Step | None:
    """The next mail that the lead has not had, in this time or an earlier one."""
    had = Letter.objects.filter(enrollment__lead=lead).values("step")
    found: Step | None = Step.objects.kept().filter(position__gt=after).exclude(pk__in=had).first()
    return found


def _later(at: datetime, days: int, workspace: Workspace) -> datetime:
    """So many days later at the same time of day, by the business's own clock."""
    return (workspace.local(at) + timedelta(days=days)).astimezone(UTC)


@transaction.atomic
def enroll(lead: Lead, *, at: datetime, by: Member | None = None, because: str = "") -> Enrollment:
    """Let a lead get the nurture mails, the first after its own days; raise NoMails with the reason."""
    lead = Lead.objects.locked([lead.pk], "workspace")[lead.pk]
    if not Mails.objects.filter(is_on=True).exists():
        raise NoMails("The nurture mails are switched off.", Stop.OFF)
    if Enrollment.objects.filter(lead=lead, state=EnrollmentState.ACTIVE).exists():
        raise NoMails("They get the nurture mails already.")
    if (why := stop_for(lead, since=None)) is not None:
        raise NoMails(f"{why.label}, so no nurture mails.", why)
    step = next_step(lead, 0)
    if step is None:
        raise NoMails("They have had all the nurture mails.")
    first = _later(at, step.days, lead.workspace)
    made = Enrollment(workspace_id=lead.workspace_id, lead=lead, because=because, by=by, enrolled_at=at, next_at=first)
    made.digest = open_door(lead.workspace_id, token_for(DOOR, made.pk))
    made.save()
    record(
        lead.workspace_id, "nurture_started", at=at, lead_id=lead.pk, actor=by,
        data={"enrollment": str(made.pk), "position": 0, "because": because}, due={"nurture": first},
    )  # fmt: skip
    return made


@transaction.atomic
def write_next(enrollment: Enrollment, event: Event, *, at: datetime) -> Letter | None:
    """Write the mail that is due to a lead and put it into the post, or stop where they should get none.

    None where nothing was written. Twice for one event writes once.
    """
    lead = Lead.objects.locked([enrollment.lead_id], "workspace")[enrollment.lead_id]
    enrollment = Enrollment.objects.select_for_update().get(pk=enrollment.pk)
    if not enrollment.is_active or enrollment.position != event.data["position"]:
        return None
    sequence = Mails.objects.select_related("sender__user").get(workspace=lead.workspace)
    why = Stop.OFF if not sequence.is_on else stop_for(lead, since=enrollment.enrolled_at)
    if why is not None:
        stop(enrollment, why, at=at)
        return None
    step = next_step(lead, enrollment.position)
    if step is None:
        _done(enrollment, at=at)
        return None
    sender = sequence.signer
    values = values_for(lead, workspace=lead.workspace, sender=sender)
    written = pieces(step.text, values)
    letter = Letter(
        workspace_id=lead.workspace_id, enrollment=enrollment, step=step, position=step.position,
        digest=digest_of(lead.workspace_id, lead.email), written_at=at,
        links=[piece[1] for piece in written if piece[0] == "link"],
    )  # fmt: skip
    context = {"letter": str(letter.pk), "pieces": written, "subject": filled(step.subject, values)}
    letter.message = mail.queue("nurture", to_lead=lead, by=sender, event=event, at=at, context=context)
    letter.save()
    after = next_step(lead, step.position)
    then = _later(at, after.days, lead.workspace) if after else None
    enrollment.position, enrollment.next_at = step.position, then
    enrollment.save(update_fields=["position", "next_at"])
    record(
        lead.workspace_id, "nurture_mailed", at=at, lead_id=lead.pk,
        data={"enrollment": str(enrollment.pk), "position": step.position, "subject": context["subject"]},
        due={"nurture": then or at},
    )  # fmt: skip
    return letter


def _done(enrollment: Enrollment, *, at: datetime) -> None:
    enrollment.state, enrollment.next_at, enrollment.ended_at = EnrollmentState.DONE, None, at
    enrollment.save(update_fields=["state", "next_at", "ended_at"])


@transaction.atomic
def stop(enrollment: Enrollment, why: Stop, *, at: datetime, by: Member | None = None) -> bool:
    """Write no more mails to a lead, and keep what waits from going. False where it had ended."""
    stopped = (
        Enrollment.objects.filter(pk=enrollment.pk)
        .going_on()
        .update(state=EnrollmentState.STOPPED, why=why, next_at=None, ended_at=at)
    )
    if stopped:
        mail.take_back("nurture", lead_ids=[enrollment.lead_id], why=f"{why.label}.")
        record(
            enrollment.workspace_id, "nurture_ended", at=at, lead_id=enrollment.lead_id, actor=by,
            data={"enrollment": str(enrollment.pk), "why": why.value, "says": why.label},
        )  # fmt: skip
    return bool(stopped)


@transaction.atomic
def replied(lead: Lead, *, by: Member, at: datetime) -> None:
    """A person says that the lead answered a mail: an event like any other, and the mails stop at once."""
    record(lead.workspace_id, "email_reply", at=at, lead_id=lead.pk, actor=by)
    _end_all(lead, Stop.REPLIED, at=at, by=by)


def leave(lead_ids: Sequence[UUID], to: Stage, *, at: datetime) -> None:
    """Leads go to sales, to an end or become customers: their mails stop with that. SLOTS["leaves_marketing"]."""
    found = GOING_ON.rows(lead_ids)
    if not found:
        return
    theirs = Enrollment.objects.filter(pk__in=[pk for (pk,) in found])
    why = {Stage.READY: Stop.HANDED, Stage.CUSTOMER: Stop.CUSTOMER}.get(to, Stop.SALES if to in SALES else Stop.ENDED)
    if to == Stage.READY:
        theirs.filter(came_back_at=None).update(came_back_at=at)
    if theirs.going_on().update(state=EnrollmentState.STOPPED, why=why, next_at=None, ended_at=at):
        mail.take_back("nurture", lead_ids=lead_ids, why=f"{why.label}.")


# ── they say so themselves ──


def addresses_of(enrollment: Enrollment) -> set[str]:
    """The digests of every address that this enrollment's mails went to, and of the lead's own."""
    found = set(enrollment.letters.values_list("digest", flat=True))
    if enrollment.lead.email:
        found.add(digest_of(enrollment.workspace_id, enrollment.lead.email))
    return found


@transaction.atomic
def unsubscribe(enrollment: Enrollment, *, at: datetime) -> bool:
    """The lead wants no more of marketing's mail: their addresses are suppressed; False where they were before."""
    lead = Lead.objects.locked([enrollment.lead_id])[enrollment.lead_id]
    return _no_more(lead, addresses_of(enrollment), at=at)


@transaction.atomic
def no_mail(lead: Lead, *, by: Member, at: datetime) -> bool:
    """A person says for the lead that they want no more of marketing's mail; False where that was known.

    Raises NoMails where there is no address yet that could be kept from it.
    """
    lead = Lead.objects.locked([lead.pk])[lead.pk]
    digests = _digests(lead)
    if not digests:
        raise NoMails("They have no e-mail address.", Stop.ADDRESS)
    return _no_more(lead, digests, at=at, by=by)


def _digests(lead: Lead) -> set[str]:
    found = set(Letter.objects.filter(enrollment__lead=lead).values_list("digest", flat=True))
    return found | ({digest_of(lead.workspace_id, lead.email)} if lead.email else set())


def _no_more(lead: Lead, digests: Collection[str], *, at: datetime, by: Member | None = None) -> bool:
    known = Suppression.objects.filter(digest__in=digests).count() == len(digests)
    suppress(lead.workspace_id, digests, Suppression.Why.UNSUBSCRIBED, at=at)
    _end_all(lead, Stop.UNSUBSCRIBED, at=at, by=by)
    # After a word of ours theirs is told too: it is no more ours to take back.
    if not known or (by is None and said_for(lead)):
        record(
            lead.workspace_id, "unsubscribed", at=at, lead_id=lead.pk, actor=by, data={"by_hand": True} if by else {}
        )
    return not known


def said_for(lead: Lead) -> Event | None:
    """What one of us said for the lead on their page, where neither they nor a mail server have said so since."""
    told = Event.objects.filter(lead=lead, kind__in=Suppression.Why.values).order_by("-id").first()
    return told if told is not None and told.data.get("by_hand") else None


@transaction.atomic
def mail_again(lead: Lead, *, by: Member, at: datetime) -> bool:
    """Undo within a day that one of us wanted no mail for the lead; whether mails had stopped with it, which stay so.

    Raises TooLate.
    """
    lead = Lead.objects.locked([lead.pk])[lead.pk]
    if suppression_of(lead.workspace_id, lead.email) is None:
        raise TooLate("This has been taken back already.")
    told = said_for(lead)
    fresh = told is not None and at <= told.recorded_at + UNDO_WITHIN
    if told is None or not (fresh and lift(_digests(lead), since=told.recorded_at)):
        raise TooLate("This can’t be taken back any more: it was over a day ago, or they said so themselves.")
    record(lead.workspace_id, "subscribed_again", at=at, lead_id=lead.pk, actor=by)
    return Enrollment.objects.filter(lead=lead, ended_at=told.recorded_at).exists()


@transaction.atomic
def subscribe_again(enrollment: Enrollment, *, at: datetime) -> bool:
    """The lead takes back that they want no more mail; what was stopped stays stopped."""
    lifted = lift(addresses_of(enrollment))
    if lifted:
        record(enrollment.workspace_id, "subscribed_again", at=at, lead_id=enrollment.lead_id)
    return lifted


@transaction.atomic
def bounced(letter: Letter, *, at: datetime) -> None:
    """The address doesn't exist: never mail it again."""
    lead = Lead.objects.locked([letter.enrollment.lead_id])[letter.enrollment.lead_id]
    suppress(letter.workspace_id, [letter.digest], Suppression.Why.BOUNCED, at=at)
    _end_all(lead, Stop.BOUNCED, at=at)
    record(letter.workspace_id, "bounced", at=at, lead_id=lead.pk)


def _end_all(lead: Lead, why: Stop, *, at: datetime, by: Member | None = None) -> None:
    for one in Enrollment.objects.filter(lead=lead).going_on():
        stop(one, why, at=at, by=by)
