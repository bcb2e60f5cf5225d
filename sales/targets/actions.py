"""Say what is to be won."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction

from funnel.workspaces.models import SELLERS, AuditEntry, Member
from funnel.workspaces.refusals import Refusal
from sales.targets.models import Target

# The years that may have targets.
EARLIEST, LATEST = 2000, 2100


class SellsNothing(Refusal):
    """A target for somebody who doesn't sell."""

    status = 422


@transaction.atomic
def set_target(month: date, amount: int | None, *, member: Member | None, by: Member, at: datetime) -> bool:
    """Set a month's target in minor units, for one member or for all together; None takes it away.

    Gives whether anything changed; raises SellsNothing.
    """
    first = month.replace(day=1)
    if member is not None and member.role not in SELLERS:
        raise SellsNothing(f"{member.name} doesn’t sell, so there is nothing to reach.", field="member")
    mine = Target.objects.select_for_update().filter(month=first, member=member)
    was = mine.values_list("amount", flat=True).first()
    if was == amount:
        return False
    if amount is None:
        mine.delete()
    else:
        Target.objects.update_or_create(
            workspace=by.workspace, month=first, member=member, defaults={"amount": amount, "set_at": at}
        )
    AuditEntry.objects.create(
        workspace=by.workspace, at=at, actor=by, action="target set", target=member.name if member else "Together",
        data={"month": f"{first:%Y-%m}", "was": was, "now": amount},
    )  # fmt: skip
    return True
