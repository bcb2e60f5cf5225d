"""What integrations send of leads, and how it becomes a capture."""

from __future__ import annotations

from typing import Any

from funnel.api.shapes import (
    Anything,
    DayOrMoment,
    Flag,
    Invalid,
    Items,
    Moment,
    OptionalShape,
    Shape,
    Text,
)
from funnel.leads.identity import LENGTHS, SOURCE_LENGTHS, Capture
from funnel.leads.receiving import Received

MOST = 1000
VERBS = "This can’t be set. Use accept/, return/ or disqualify/; they move a lead."
MADE = "Baton keeps this itself; it can’t be set."
FIXED = {
    "stage": VERBS,
    "holder": "This can’t be set. Use accept/ with {\"member\"}, or return/.",
    **dict.fromkeys(
        (
            "id", "fit", "engagement", "band", "handoff", "received_at", "created_at", "updated_at", "cool_until",
            "waits_since", "customer_since", "version",
        ),
        MADE,
    ),
}  # fmt: skip

SOURCE = OptionalShape(
    {name: Text(length) for name, length in SOURCE_LENGTHS.items()},
    says="Three names, matched without case; new ones appear for marketing.",
)
PERSON = {
    "email": Text(254),
    "phone": Text(60, "Read by the country of the business where it has no prefix."),
    "name": Text(LENGTHS["name"]),
    "company": Text(LENGTHS["company"]),
    "external_id": Text(LENGTHS["external_id"], numbers=True),
    "external_system": Text(LENGTHS["external_system"]),
    "fields": Anything("Names and values of the business's own fields; see fields/."),
}
CAPTURE = Shape(
    {
        **PERSON,
        "source": SOURCE,
        "occurred_at": Moment("When it happened; now unless said. Over 24 hours ago opens no handoff by itself."),
        "consent": OptionalShape(
            {"email": Flag(), "text": Text(2000, "What the person was shown when they agreed.")},
            says="Agreed to e-mail, with the text that was shown; false writes none.",
        ),
        "handover": Flag("false keeps this capture from opening a handoff; true opens none by itself."),
    },
    fixed=FIXED,
)
BATCH = Shape(
    {"leads": Items(CAPTURE, MOST), "handover": Flag("For the leads that don’t say; false unless said.")},
    required=["leads"],
)
CHANGES = Shape(PERSON, fixed={**FIXED, "source": "The source is the earliest touch’s; send a touch instead."})
TOUCH = Shape(
    {
        "kind": Text(40, "A known kind (see kinds/), or a name of your own."),
        "occurred_at": Moment("When it happened; now unless said."),
        "source": SOURCE,
        "data": Anything('What else there is to say, like {"page": …} or {"text": …}.'),
    },
    required=["kind"],
)
ACCEPT = Shape({"member": Text(254, "Who takes it, by e-mail; the key’s member unless said.")})
RETURN = Shape(
    {
        "reason": Text(80, "The key or the name of one of reasons/."),
        "note": Text(2000),
        "until": DayOrMoment(
            "A day or moment promised to the lead: it is handed over again then. A reason that comes back on a day "
            "needs it, and one that ends it takes none."
        ),
    },
    required=["reason"],
)
DISQUALIFY = Shape({"reason": Text(300)})
VOID = Shape({"reason": Text(300)}, required=["reason"])


def capture_of(values: dict[str, Any], *, handover: bool, overwrite: bool, via: str) -> Capture:
    """Make a capture of a body that was read; raise Invalid for a consent without its text."""
    source, consent = values.get("source") or {}, values.get("consent") or {}
    consents = {}
    if consent.get("email"):
        text = consent.get("text", "").strip()
        if not text:
            raise Invalid({"consent.text": "Send the text that the person was shown when they agreed."})
        consents["email"] = text
    return Capture(
        **{name: values[name] for name in PERSON if name in values and name != "fields"},
        **{name: source[name] for name in source},
        fields=values.get("fields", {}),
        occurred_at=values.get("occurred_at"),
        consents=consents,
        data={"via": via},
        handover=values.get("handover", handover),
        overwrite=overwrite,
    )


def refused(result: Received) -> Invalid:
    """The refusal of one capture as the API says it."""
    return Invalid(result.refused)
