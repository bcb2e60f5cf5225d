"""Addresses of this part."""

from typing import Any

app_name = "marketing"
urlpatterns: list[Any] = []
