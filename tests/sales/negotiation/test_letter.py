"""What a lead's page says of a quote whose letter is on its way."""

from __future__ import annotations

import pytest
from django.urls import reverse

from funnel.mail.models import Message

pytestmark = pytest.mark.django_db


def test_a_letter_that_still_waits_is_not_called_sent(sent, rep, browse, gate):
    version = sent(rep)
    client, page = browse(rep), reverse("lead", args=[version.quote.deal.lead_id])

    def story() -> str:
        return " ".join(client.get(page).content.decode().split())

    name, address = version.quote.name, f"<bdi>{version.sent_to}</bdi>"
    assert f"</bdi> is sending {name}" in story()
    assert f"the letter to {address} waits to go" in story()
    became = {
        "sending": ("is sending", f"the letter to {address} waits to go"), "sent": ("sent", f"net, to {address}"),
        "failed": ("tried to send", f"the letter to {address} did not go"),
        "unknown": ("sent", f"whether the letter to {address} went is in doubt"),
    }  # fmt: skip
    for state, (does, says) in became.items():
        with gate(rep):
            assert Message.objects.filter(kind="quote").update(state=state) == 1
        assert f"</bdi> {does} {name}" in story(), state
        assert says in story(), state
