"""People for the tests of the hall's lists, and the page of one of them."""

from datetime import datetime, timedelta

from django.test import Client

from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.workspaces.models import Member


def came(who: Member, at: datetime, *names: str, **values) -> list[Lead]:
    """Leads of these names, each with a company, an address and a number, received one minute after the other."""
    captures = [
        Capture(
            **{
                "name": name,
                "company": f"{name.split()[-1]} Ltd",
                "email": f"{name.split()[0].lower()}@{name.split()[-1].lower()}{place}.example",
                "phone": f"01632 96{place:04}",
                "channel": "radio",
                "occurred_at": at - timedelta(minutes=len(names) - place),
                **values,
            }
        )
        for place, name in enumerate(names)
    ]
    return [result.lead for result in receive(who.workspace, captures, at=at)]


def at_page(lead: Lead) -> str:
    return f"/leads/{lead.pk}/"


def read(client: Client, lead: Lead, query: str = "") -> str:
    """What the page of a lead says."""
    answer = client.get(at_page(lead) + query)
    assert answer.status_code == 200
    return answer.content.decode()
