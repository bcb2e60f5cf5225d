"""Gathers sales' models for Django; code imports them from their folders."""

from sales.deals.models import Deal, LostReason
from sales.demos.models import BookingPage, Demo
from sales.negotiation.models import Product, ProductPrice, Quote, QuoteCounter, QuoteLine, QuoteVersion
from sales.qualification.models import Answer, Question
from sales.queue.models import Task
from sales.targets.models import Target

__all__ = [
    "Answer", "BookingPage", "Deal", "Demo", "LostReason", "Product", "ProductPrice", "Question", "Quote",
    "QuoteCounter", "QuoteLine", "QuoteVersion", "Target", "Task",
]  # fmt: skip
