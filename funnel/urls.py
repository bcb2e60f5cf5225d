"""Every address of the application."""

from django.urls import include, path

urlpatterns = [
    path("", include("funnel.overview.urls")),
    path("", include("funnel.people.urls")),
    path("", include("funnel.api.urls")),
    path("marketing/", include("marketing.urls")),
    path("f/", include("marketing.capture.public_urls")),
    path("sales/", include("sales.urls")),
]
