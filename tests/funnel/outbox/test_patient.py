"""Whoever could not say that it is done takes what comes next."""

from __future__ import annotations

import os
import signal

import pytest
import redis

from funnel.celery import Impatient
from tests.servers import redis as redis_server


@pytest.mark.postgres
def test_a_message_that_could_not_be_acknowledged_keeps_no_place():
    with redis_server() as url:
        pid = redis.Redis.from_url(url).info()["process_id"]
        with Impatient(url, transport_options={"socket_timeout": 0.3, "max_retries": 0}) as line:
            queue = line.SimpleQueue("rings")
            queue.consumer.qos(prefetch_count=1)
            queue.put("first")
            queue.put("second")
            first = queue.get(timeout=5)
            os.kill(pid, signal.SIGSTOP)
            try:
                with pytest.raises(redis.RedisError):
                    first.ack()
            finally:
                os.kill(pid, signal.SIGCONT)
            assert queue.get(timeout=5).payload == "second"
