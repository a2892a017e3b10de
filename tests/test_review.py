"""Every section of the review has a page, in the review's order; then come the pages on
what became known since.
"""

from __future__ import annotations

import pytest

from ibcore.claims import PAGES
from ibcore.review import SECTIONS, SINCE, section_of

# The headings of Vardi 2023 as printed; a section without text of its own is its
# subsections. The topics of the last
# section but one are those that its text lists and its appendix discusses; they have no
# headings there.
HEADINGS = (
    "Introduction",
    "The Double-Descent Phenomenon",
    "Implicit Bias in Classification",
    "Logistic regression",
    "Linear networks",
    "Homogeneous neural networks",
    "Extensions",
    "Implicit Bias in Regression",
    "Linear regression",
    "Linear networks",
    "Matrix factorization as a test-bed for neural networks",
    "Nonlinear networks",
    "Dynamical Stability",
    "Additional Implicit Biases and Further Implications",
    "Conclusion",
)
TOPICS = (
    "Label noise",
    "Modified losses",
    "Balancedness",
    "Norms in function space",
    "The NTK regime",
    "Adversarial robustness",
    "Privacy",
)


def headings() -> list[str]:
    """The headings under which the pages of the book stand, each part before its first
    section.
    """
    found: list[str] = []
    for section in SECTIONS:
        parts = [section.part] if section.part and section.part not in found else []
        found += [*parts, section.title]
    return found


def test_every_section_of_the_review_has_pages_in_its_order():
    assert tuple(title for title in headings() if title not in TOPICS) == HEADINGS
    assert all(section.pages for section in SECTIONS)


def test_every_topic_of_the_last_section_has_a_page():
    last = "Additional Implicit Biases and Further Implications"
    found = tuple(section.title for section in SECTIONS if section.part == last)
    assert found == TOPICS


def test_every_page_with_claims_is_on_one_section_in_the_order_of_the_pages():
    *mirrored, last = [page for section in SECTIONS for page in section.pages]
    assert (*mirrored, *SINCE.pages) == PAGES
    assert last == "conclusion"


@pytest.mark.parametrize("page", PAGES)
def test_the_section_of_a_page(page):
    assert page in section_of(page).pages
