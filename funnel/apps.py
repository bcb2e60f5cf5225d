from django.apps import AppConfig
from django.conf import settings
from django.db import connection
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate


class FunnelConfig(AppConfig):
    name = "funnel"

    def ready(self) -> None:
        from funnel.leads.finding import raise_index
        from funnel.outbox.statistics import suppose
        from funnel.workspaces.gate import have_queue
        from funnel.workspaces.walls import lower_walls, raise_walls

        if settings.SQLITE:
            # SQLite takes 32,766 values a statement since 3.32; Django still counts 999: 38 leads an INSERT.
            type(connection.features).max_query_params = 32_766
            connection_created.connect(have_queue, dispatch_uid="queue")

        pre_migrate.connect(lower_walls, dispatch_uid="walls")
        post_migrate.connect(raise_walls, dispatch_uid="walls")
        post_migrate.connect(raise_index, dispatch_uid="finding")
        post_migrate.connect(suppose, dispatch_uid="statistics")
