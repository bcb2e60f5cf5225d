"""Gathers the hall's tasks for Celery."""

from funnel.outbox.tasks import drain, drain_mail, learn

__all__ = ["drain", "drain_mail", "learn"]
