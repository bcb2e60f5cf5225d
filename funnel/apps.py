from django.apps import AppConfig
from django.db.models.signals import post_migrate


class FunnelConfig(AppConfig):
    name = "funnel"

    def ready(self) -> None:
        from funnel.workspaces.walls import raise_walls

        post_migrate.connect(raise_walls, dispatch_uid="walls")
