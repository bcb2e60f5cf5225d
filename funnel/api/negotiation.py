"""Which parser and which renderer: there is one of each."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import BaseContentNegotiation


class PlainNegotiation(BaseContentNegotiation):
    """JSON in and out, whatever `Accept` says: a problem must reach a client that asked for something else."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        """Give the one parser if it can read the body's type."""
        media = (request.content_type or "").partition(";")[0].strip().lower()
        return next((one for one in parsers if one.media_type == media), None)

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        """Give the first renderer."""
        return renderers[0], renderers[0].media_type
