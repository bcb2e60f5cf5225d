"""The worker beside a real server: it keeps its connection to the database, and takes a new one where that is cut."""

import pytest

from tests.stack import until

pytestmark = pytest.mark.postgres

LEADS = "SELECT count(*) FROM funnel_lead"
# Of the worker alone: a web process keeps its own, and each look of the test is one more.
CONNECTIONS = "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
CUT = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_a_worker_goes_on_with_its_connection_and_without_it_takes_another(stack):
    came, looks = 0, 0

    def look(question):
        nonlocal looks
        looks += 1
        [(found,)] = stack.look(question)
        return found

    def asks(who):
        nonlocal came
        came += 1
        fields = {"name": "Ann", "email": f"{who}@corbury.example", "message": "Two bikes, please."}
        assert stack.post_form(stack.business["form"], fields)[0] in (200, 302, 303)
        assert until(lambda: look(LEADS) == came, 20), who

    asks("first")
    before, looks = look(CONNECTIONS), 0
    for number in range(10):
        asks(f"ann{number}")
    # Each form rings twice, and each ring is a task.
    assert look(CONNECTIONS) - before - looks < 10
    look(CUT)
    asks("last")
