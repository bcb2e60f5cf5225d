"""Addresses of what both wings share."""

from django.urls import path

from funnel.overview import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
