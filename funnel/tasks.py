"""Gathers the hall's tasks for Celery."""

from funnel.outbox.tasks import drain, drain_mail

__all__ = ["drain", "drain_mail"]
