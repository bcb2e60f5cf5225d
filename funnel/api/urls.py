"""The addresses of the API: each part of the house plugs its own in (settings.SLOTS, "api_routes")."""

from django.urls import include, path

from funnel.api.docs import docs
from funnel.api.schema import SchemaView
from funnel.workspaces.slots import slot

routes = [route for routes_of in slot("api_routes") for route in routes_of()]

urlpatterns = [
    path("api/v1/docs/", docs, name="api-docs"),
    path(
        "api/v1/",
        include(([*routes, path("schema/", SchemaView.as_view({"get": "read"}), name="schema")], "api")),
    ),
]
