"""Gathers sales' models for Django; code imports them from their folders."""

from sales.queue.models import Task

__all__ = ["Task"]
