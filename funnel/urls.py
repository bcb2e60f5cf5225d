"""Every address of the application."""

from django.urls import include, path

urlpatterns = [
    # First, because it is asked most: each pattern before it costs every form that is sent.
    path("f/", include("marketing.capture.public_urls")),
    path("q/", include("sales.negotiation.public_urls")),
    path("u/", include("marketing.nurture.public_urls")),
    path("", include("funnel.overview.urls")),
    path("", include("funnel.people.urls")),
    path("", include("funnel.api.urls")),
    path("marketing/", include("marketing.urls")),
    path("sales/", include("sales.urls")),
    path("", include("sales.demos.public_urls")),
]

handler400 = "funnel.api.errors.bad_request"
handler404 = "funnel.api.errors.not_found"
handler500 = "funnel.api.errors.trouble"
