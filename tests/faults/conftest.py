"""An installation to be broken, with a broker of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.servers import redis as redis_server
from tests.stack import Stack, running, start_business


@pytest.fixture
def broker() -> Iterator[str]:
    """A Redis of this test's own, to be broken; none where the doorbell is a file."""
    if settings.SQLITE:
        yield ""
    else:
        with redis_server() as url:
            yield url


@pytest.fixture
def stack(tmp_path: Path, broker: str) -> Iterator[Stack]:
    with running(tmp_path, redis=broker) as made:
        made.business = start_business(made)
        yield made


@pytest.fixture
def crowded(stack: Stack) -> Stack:
    """An installation that takes any number of forms from one address."""
    stack.env |= {"FORM_LIMIT_PER_ADDRESS": "0", "FORM_LIMIT": "0"}
    return stack
