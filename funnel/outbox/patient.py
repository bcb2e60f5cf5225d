"""Redis as kombu knows it, but a message that could not be acknowledged takes up no place of its worker for ever."""

from __future__ import annotations

from typing import Any

from kombu.transport import redis, virtual


class QoS(redis.QoS):
    """What the worker has taken and not yet acknowledged."""

    def ack(self, delivery_tag: Any) -> None:
        """Acknowledge a message; where Redis can't be told, raise, and count it as done all the same.

        It comes back after its lease, as one ring too many. Kept, it would count against what the worker may take at
        once: after as many hiccups as it has processes, a worker whose connection lived on took nothing any more.
        """
        try:
            super().ack(delivery_tag)
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise


class Channel(redis.Channel):
    """A channel with our count."""

    QoS = QoS


class Transport(redis.Transport):
    """The transport behind redis:// addresses (funnel/celery.py)."""

    Channel = Channel
