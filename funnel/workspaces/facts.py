"""Facts that `check_facts` recomputes: references stay in their workspace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Exists, OuterRef

from funnel.workspaces.models import Workspace
from funnel.workspaces.walls import references, tenant_models

Difference = tuple[str, str]


def references_stay(workspace: Workspace, at: datetime) -> Iterator[Difference]:
    """Every reference of a row leads to a row of the same workspace."""
    for model in tenant_models():
        for field in references(model):
            parents = field.related_model._base_manager.filter(pk=OuterRef(field.attname), workspace=workspace.pk)
            strays = (
                model._base_manager.filter(workspace=workspace.pk, **{f"{field.name}__isnull": False})
                .filter(~Exists(parents))
                .values_list("pk", flat=True)
            )
            for pk in strays[:100]:
                yield f"{model._meta.label}.{field.name}", f"{pk} leads out of its workspace"
