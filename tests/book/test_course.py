"""The course: every page is read once, a week rests on earlier weeks, its exercises are on
its pages.
"""

from __future__ import annotations

import re

import nbformat
import pytest
from course import Week, graph, levels, table, weeks
from environment import ROOT

from ibcore.claims import PAGES

PLAN = weeks()


def exercises(page: str) -> set[str]:
    """The labels of a page's exercises."""
    path = ROOT / "book" / f"{page}.ipynb"
    if not path.exists():
        return set()
    cells = nbformat.read(path, as_version=4).cells
    pattern = re.compile(r"\{exercise\}.*\n:label: (\S+)")
    return {label for cell in cells for label in pattern.findall(cell.source)}


def test_twelve_weeks_read_every_page_with_claims_once():
    assert len(PLAN) == 12
    read = [page for week in PLAN for page in week.pages]
    assert sorted(read) == sorted([*PAGES, "conclusion"])


@pytest.mark.parametrize("number", range(1, 13))
def test_a_week_rests_on_earlier_ones_and_has_exercises_of_its_pages(number):
    week = PLAN[number - 1]
    assert all(need < number for need in week.needs)
    assert len(week.exercises) >= 2
    found = set().union(*map(exercises, week.pages))
    assert set(week.exercises) <= found


def test_a_week_stands_below_all_that_it_rests_on():
    found = levels(PLAN)
    assert found[0] == 0
    for number, week in enumerate(PLAN):
        assert all(found[need - 1] < found[number] for need in week.needs)


def test_the_picture_has_every_week_every_line_and_its_text():
    plan = [Week("One", (), (), ()), Week("Two & more", (), (1,), ())]
    svg = graph(plan)
    assert svg.count("<rect") == 2
    assert svg.count("<path") == 1
    assert "1. One" in svg
    assert "2. Two &amp; more" in svg
    assert "week 1 rests on none; week 2 rests on 1" in svg


def test_no_two_boxes_of_the_picture_share_a_place():
    corners = re.findall(r"<rect x='([\d.]+)' y='([\d.]+)'", graph(PLAN))
    assert len(corners) == len(PLAN) == len(set(corners))


def test_the_table_has_one_row_a_week():
    assert len(list(table(PLAN))) == 2 + len(PLAN)
