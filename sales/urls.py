"""Addresses of the sales wing."""

from django.urls import include, path

app_name = "sales"
urlpatterns = [
    path("", include("sales.queue.urls")),
    path("", include("sales.qualification.urls")),
    path("", include("sales.deals.urls")),
    path("", include("sales.close.urls")),
    path("", include("sales.demos.urls")),
    path("", include("sales.customers.urls")),
    path("", include("sales.reports.urls")),
    path("", include("sales.targets.urls")),
    path("", include("sales.negotiation.urls")),
]
