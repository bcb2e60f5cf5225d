"""Addresses of this part."""

from typing import Any

urlpatterns: list[Any] = []
