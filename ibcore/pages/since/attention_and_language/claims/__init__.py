"""The claims of the page on attention and language."""

from ibcore.pages.since.attention_and_language.claims.attention_token_svm import (
    attention_token_svm,
)
from ibcore.pages.since.attention_and_language.claims.next_token_margin import (
    next_token_margin,
)

__all__ = ["attention_token_svm", "next_token_margin"]
