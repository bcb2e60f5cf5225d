"""Facts that `check_facts` recomputes: who gets nurture mails once at a time, and nobody who must not be mailed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Exists, F, OuterRef

from funnel.leads.models import Suppression
from funnel.mail.models import MessageState
from funnel.workspaces.facts import Difference
from funnel.workspaces.models import Workspace
from marketing.nurture.models import Enrollment, EnrollmentState, Letter

# What a mail server had been handed already may be taken a little later (design: 60 s).
ON_ITS_WAY = timedelta(seconds=60)


def one_enrollment_each(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """At most one active enrollment per lead, and one letter per enrollment and step."""
    active = Enrollment.objects.filter(state=EnrollmentState.ACTIVE).order_by()
    for lead, many in active.values_list("lead").annotate(many=Count("pk")).filter(many__gt=1)[:100]:
        yield "enrollments", f"lead {lead} has {many} active enrollments"
    twice = Letter.objects.order_by().values_list("enrollment", "step").annotate(many=Count("pk")).filter(many__gt=1)
    for enrollment, step, many in twice[:100]:
        yield "enrollments", f"enrollment {enrollment} had step {step} {many} times"


def nobody_suppressed_was_mailed(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """Nothing went to an address after it was suppressed."""
    suppressed = Suppression.objects.filter(digest=OuterRef("digest"), at__lt=OuterRef("message__sent_at") - ON_ITS_WAY)
    wrong = Letter.objects.filter(message__state=MessageState.SENT).filter(Exists(suppressed))
    for pk, sent_at in wrong.annotate(sent=F("message__sent_at")).values_list("pk", "sent")[:100]:
        yield "suppression", f"letter {pk} was sent at {sent_at} to an address that must not be mailed"
