"""A verb's refusal: a sentence for a person, a status for a program. funnel.api.errors answers with them."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A rule says no; nothing has changed. `extra` goes into the problem document."""

    status = 409

    def __init__(self, sentence: str, **extra: Any) -> None:
        super().__init__(sentence)
        self.sentence, self.extra = sentence, extra


class Forbidden(Refusal):
    """This member may not do that."""

    status = 403
