"""The shape of every row that belongs to a workspace, and the gate's first wall: an unscoped query raises."""

from typing import Any, ClassVar

from django.db import models
from django_scopes import ScopedManager


def scoped(queryset: type[models.QuerySet[Any]] = models.QuerySet) -> Any:
    """Give a manager with the queryset's methods that sees only the workspace whose gate is open."""
    return ScopedManager(workspace="workspace", _manager_class=models.Manager.from_queryset(queryset))


class TenantForeignKey(models.ForeignKey):
    """A reference to a row of the same workspace.

    The database's own check is the one that `walls.raise_walls` adds, so the plain constraint would only cost.
    """

    def __init__(self, to: Any, on_delete: Any, **kwargs: Any) -> None:
        kwargs["db_constraint"] = False
        super().__init__(to, on_delete, **kwargs)


class TenantRow(models.Model):
    """A row of one workspace."""

    workspace = models.ForeignKey("funnel.Workspace", models.CASCADE, related_name="+", db_index=False)

    objects: ClassVar[Any] = scoped()

    class Meta:
        abstract = True
