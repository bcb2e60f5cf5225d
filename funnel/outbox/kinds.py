"""The kinds of events that Baton itself knows; an integration's other kinds are kept under their own name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """How a kind reads on a timeline, and what it counts as.

    touch: an integration may send it. contact: a member's counts as first contact. group: the timeline's filter.
    """

    label: str
    touch: bool = False
    contact: bool = False
    group: str = "other"


KINDS: dict[str, Kind] = {
    "form": Kind("Sent a form", touch=True, group="forms"),
    "page_view": Kind("Opened a page", touch=True, group="pages"),
    "email_open": Kind("Opened a mail", touch=True, group="mail"),
    "email_click": Kind("Clicked in a mail", touch=True, group="mail"),
    "email_reply": Kind("Answered a mail", touch=True, group="mail"),
    "call": Kind("Called us", touch=True, group="calls"),
    "call_made": Kind("We called", touch=True, contact=True, group="calls"),
    "meeting": Kind("Met us", touch=True, contact=True, group="calls"),
    "note": Kind("Note", touch=True, group="notes"),
    "visit": Kind("Visited us", touch=True, group="pages"),
    "promo_event": Kind("Came to an event", touch=True, group="pages"),
    "contact_request": Kind("Asked to be contacted", touch=True, group="forms"),
    "received": Kind("Received"),
    "received_batch": Kind("Received in a batch"),
    "submitted": Kind("Form sent in"),
    "edited": Kind("Changed"),
    "moved": Kind("Moved"),
    "voided": Kind("Taken back"),
    "next_step": Kind("Next step set", group="notes"),
    "next_step_moved": Kind("Next step moved", group="notes"),
    "next_step_done": Kind("Next step done", group="notes"),
    "next_step_dropped": Kind("Next step ended", group="notes"),
    "came_back": Kind("Came back"),
    "asked_again": Kind("Asked for contact again", group="forms"),
    "came_again": Kind("A customer came again", group="forms"),
    "waits_for_go": Kind("Ready, waits for your go", group="handoffs"),
    "handoff_opened": Kind("Handed over", group="handoffs"),
    "handoff_reminded": Kind("Reminded", group="handoffs"),
    "handoff_escalated": Kind("Late", group="handoffs"),
    "handoff_rerouted": Kind("Passed on", group="handoffs"),
    "handoff_accepted": Kind("Taken", group="handoffs"),
    "handoff_given_back": Kind("Given back", group="handoffs"),
    "cooled": Kind("Cool-down ended", group="handoffs"),
    "brought_back": Kind("Brought back", group="handoffs"),
    "passed_on": Kind("Passed to a colleague", group="handoffs"),
    "qualification_answered": Kind("Questions answered", group="deals"),
    "qualified": Kind("Qualified", group="deals"),
    "deal_opened": Kind("Deal opened", group="deals"),
    "deal_moved": Kind("Deal moved", group="deals"),
    "deal_edited": Kind("Deal changed", group="deals"),
    "deal_won": Kind("Deal won", group="deals"),
    "deal_lost": Kind("Deal lost", group="deals"),
    "deal_reopened": Kind("Deal reopened", group="deals"),
    "demo_booked": Kind("Demo booked", group="deals"),
    "demo_moved": Kind("Demo moved", group="deals"),
    "demo_cancelled": Kind("Demo cancelled", group="deals"),
    "demo_held": Kind("Demo held", contact=True, group="deals"),
    "demo_missed": Kind("Missed the demo", group="deals"),
    "quote_sent": Kind("Quote sent", group="deals"),
    "quote_asked": Kind("Asked about the quote", group="deals"),
    "quote_accepted": Kind("Accepted the quote", group="deals"),
    "quote_declined": Kind("Declined the quote", group="deals"),
    "quote_withdrawn": Kind("Quote withdrawn", group="deals"),
    "quote_ended": Kind("Quote ended", group="deals"),
    "revenue_booked": Kind("Revenue booked", group="deals"),
    "revenue_corrected": Kind("Revenue taken back", group="deals"),
    "cost_booked": Kind("Cost booked"),
    "list_uploaded": Kind("List uploaded"),
    "list_mapped": Kind("List looked through"),
    "list_begun": Kind("List brought in"),
    "cost_corrected": Kind("Cost taken back"),
    "source_seen": Kind("New source"),
    "rules_tried": Kind("Rules tried out"),
    "rules_filled": Kind("Rules looked through"),
    "rules_published": Kind("Rules published"),
    "rules_left": Kind("Rules left"),
    "not_ready": Kind("No longer ready", group="handoffs"),
    "week_planned": Kind("Weekly letter planned"),
    "workspace_started": Kind("Business started"),
    "invited": Kind("Invited"),
    "time_off": Kind("Time off"),
    "day_off": Kind("A day on which somebody doesn’t work"),
    "mail_queued": Kind("Mail"),
    "marketing_asked": Kind("Marketing asked", group="handoffs"),
    "marketing_answered": Kind("Marketing answered", group="handoffs"),
    "nurture_started": Kind("Gets the nurture mails", group="mail"),
    "nurture_mailed": Kind("Nurture mail written", group="mail"),
    "nurture_ended": Kind("Nurture mails ended", group="mail"),
    "nurture_left_out": Kind("Gets no nurture mails", group="mail"),
    "unsubscribed": Kind("Wants no more mail", group="mail"),
    "subscribed_again": Kind("Wants our mail again", group="mail"),
    "bounced": Kind("Their address doesn’t exist", group="mail"),
    "reminded": Kind("Next step due", group="notes"),
}

# A timeline tells a story; these are bookkeeping.
HIDDEN = ("received_batch", "submitted", "source_seen", "mail_queued", "reminded", "handoff_reminded")
CONTACTS = tuple(name for name, kind in KINDS.items() if kind.contact)
TOUCHES = tuple(name for name, kind in KINDS.items() if kind.touch)


def route_of(kind: str) -> str:
    """The row of EVENT_ROUTES for a kind: its own, or "other" for an integration's kind."""
    return kind if kind in KINDS else "other"
