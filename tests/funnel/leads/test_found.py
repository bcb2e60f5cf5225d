"""Leads are found by an index: by any part of what is known of them, and only those of one's own business."""

import pytest
from django.core.management import call_command
from django.db import connection

from funnel.leads import finding
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive

WORDS = ["corbur", "bury@mill", "millvale to", "020 7946", "79460", "tools dun", "wörth", "CORBURY", "strasse", "k-77"]


def known(**more):
    return Capture(
        **{
            "kind": "api", "name": "Dun Corbury-Wörth Straße", "email": "dun.corbury@millvale.example",
            "phone": "+44 20 7946 0018", "company": "Millvale Tools", "external_system": "shop", "external_id": "K-77",
        }
        | more
    )  # fmt: skip


def found(client, words):
    answer = client.get("/leads/", {"q": words})
    assert answer.status_code == 200
    return answer.content.decode().count('<th scope="row">')


@pytest.mark.parametrize("words", WORDS)
def test_a_lead_is_found_by_any_part_of_what_is_known(owner, outsider, gate, browse, words):
    for member in (owner, outsider):
        with gate(member) as at:
            receive(member.workspace, [known(), Capture(kind="api", email="ann@elsewhere.example")], at=at)
    assert found(browse(owner), words) == 1


def test_after_an_edit_the_new_words_find_and_the_old_ones_do_not(owner, gate, api, browse):
    with gate(owner) as at:
        lead = receive(owner.workspace, [known()], at=at)[0].lead
    assert api(owner).patch(f"leads/{lead.pk}/", {"name": "Fenfield", "phone": "+442079460019"}).status_code == 200
    client = browse(owner)
    assert [found(client, words) for words in ("fenfield", "460019", "straße", "460018")] == [1, 1, 0, 0]


def test_leads_of_a_batch_are_found_and_those_of_others_are_not(owner, outsider, gate, api, browse):
    with gate(outsider) as at:
        receive(outsider.workspace, [known()], at=at)
    leads = [{"email": f"pat{number}@venvale.example", "name": f"Pat {number:03} Ham"} for number in range(150)]
    assert api(owner).post("leads/batch/", {"leads": leads}).status_code == 207
    answer = api(owner).get("leads/?q=t 149 ham").json()
    assert [lead["name"] for lead in answer["results"]] == ["Pat 149 Ham"]
    assert found(browse(owner), "corbury") == 0
    assert found(browse(outsider), "venvale") == 0


def test_a_word_that_many_share_finds_the_newest_first(owner, gate, api, monkeypatch):
    monkeypatch.setattr(finding, "MOST", 2)
    with gate(owner) as at:
        for number in range(4):
            receive(owner.workspace, [known(email=f"a{number}@b.example", phone="", external_id="")], at=at)
        assert finding.leads_with(["corbury"], owner.workspace_id) is None
        assert len(finding.leads_with(["corbury", "a3@b"], owner.workspace_id)) == 1
    answer = api(owner).get("leads/?q=corbury").json()
    assert len(answer["results"]) == 4


def test_who_was_there_before_the_index_is_found_after_an_upgrade(owner, gate, browse):
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER lead_came")
        else:
            cursor.execute("DROP INDEX funnel_searchindex")
            cursor.execute("DROP POLICY baton_find ON funnel_searchtext")
            cursor.execute("DROP FUNCTION baton_leads_with, baton_lead_came, baton_lead_changed CASCADE")
    with gate(owner) as at:
        receive(owner.workspace, [known()], at=at)
        assert Lead.objects.count() == 1
    call_command("migrate", verbosity=0)
    assert found(browse(owner), "corbury") == 1


@pytest.mark.postgres
def test_behind_the_second_wall_the_index_is_asked_for_the_word(owner, gate):
    with gate(owner), connection.cursor() as cursor:
        # On an empty table the plainest way would win.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("ALTER TABLE funnel_searchtext DROP CONSTRAINT searchtext_once")
        cursor.execute("SELECT set_config('baton.find', '%corbury%', true)")
        cursor.execute("EXPLAIN SELECT lead_id FROM funnel_searchtext")
        plan = " ".join(row[0] for row in cursor.fetchall())
        cursor.execute("SELECT set_config('baton.find', '', true)")
    asked = plan.partition("Bitmap Index Scan on funnel_searchindex")[2]
    assert "text ~~" in asked
    assert "workspace_id =" in asked
