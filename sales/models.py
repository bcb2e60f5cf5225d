"""Gathers sales' models for Django; code imports them from their folders."""

from sales.close.models import LostReason
from sales.deals.models import Deal
from sales.demos.models import BookingPage, Demo
from sales.queue.models import Task
from sales.targets.models import Target

__all__ = ["BookingPage", "Deal", "Demo", "LostReason", "Target", "Task"]
