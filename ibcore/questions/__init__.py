"""Questions with answers that can be checked, on the page and in a notebook."""

from ibcore.questions.base import Question, Reply
from ibcore.questions.choices import RIGHT, Choice, Order
from ibcore.questions.values import Formula, Number

__all__ = ["RIGHT", "Choice", "Formula", "Number", "Order", "Question", "Reply"]
