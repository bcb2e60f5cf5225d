"""An installation as it runs, on the database that this pass is about, and people in windows of their own."""

from __future__ import annotations

import pytest
from django.conf import settings

from tests.browser import Window, chromium
from tests.servers import redis
from tests.stack import running, start_business


@pytest.fixture
def broker():
    """A Redis of this test's own; none where the doorbell is a file."""
    if settings.SQLITE:
        yield ""
    else:
        with redis() as url:
            yield url


@pytest.fixture
def stack(tmp_path, broker):
    with running(tmp_path, redis=broker) as made:
        made.business = start_business(made)
        made.start("web", "worker", "beat")
        made.wait_ready()
        yield made


@pytest.fixture
def windows(stack):
    """Make windows of people of their own; none of them may have seen anything broken."""
    opened = []
    with chromium() as browser:

        def window(**options):
            opened.append(Window(browser, stack.url, **options))
            return opened[-1]

        yield window
        troubles = [trouble for one in opened for trouble in one.troubles]
        for one in opened:
            one.close()
    assert troubles == []
