"""The description of the API for programs: OpenAPI."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiYamlRenderer
from rest_framework.response import Response

from funnel.api.shapes import Invalid
from funnel.api.views import ApiView, spec


class KeyScheme(OpenApiAuthenticationExtension):
    """How the schema says that a key is sent."""

    target_class = "funnel.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Describe the header."""
        return {"type": "http", "scheme": "bearer", "description": "A key of the API keys page."}


class Described(AutoSchema):
    """Answers as `spec` says them: a list's answer is an object already, not a list of such."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False

    def get_operation_id(self) -> str:
        """Name an operation by its address and method, so that a list and one of its rows are told apart."""
        words = [word.strip("{}").replace("-", "_") for word in self.path.split("/") if word not in ("", "api", "v1")]
        return "_".join([*words, self.method.lower()])


@cache
def described() -> dict[str, Any]:
    """Give the whole schema; the addresses don't change while the process lives."""
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return found


class SchemaView(ApiView):
    """The schema itself."""

    rights = {"read": "read"}

    @spec("This description", query={"format": "json, or yaml."})
    def read(self, request: Any) -> HttpResponse:
        """OpenAPI 3; JSON unless `format` or `Accept` asks for YAML."""
        wanted = request.query_params.get("format")
        if wanted not in (None, "json", "yaml"):
            raise Invalid({"format": "Send json or yaml."})
        if wanted == "yaml" or (wanted is None and "yaml" in request.headers.get("Accept", "")):
            text = OpenApiYamlRenderer().render(described(), renderer_context={})
            return HttpResponse(text, content_type="application/yaml")
        return Response(described(), content_type="application/vnd.oai.openapi+json")
