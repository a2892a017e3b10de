"""Exercises and predictions on a page, as a reader uses them: typed, by keyboard, in
print, without scripts.
"""

from __future__ import annotations

import checks
import pytest
from axe_playwright_python.sync_playwright import Axe
from docutils import nodes
from playwright.sync_api import expect

from ibcore.exercises import exercises
from tests.test_exercises import right

PAGE = "book/exercises"
HIDDEN = "(element) => !element.checkVisibility()"


@pytest.fixture
def visit(exercise_reader):
    with exercise_reader.visit(PAGE) as visit:
        yield visit
        assert visit.outside == []
        assert visit.complaints == []


def question(page, label, number=1):
    return page.locator(f".ib-question[data-name^='{label}/{number}/']")


def reply(asked):
    return asked.get_by_role("status")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("1 + sqrt(2)", "✓ Right."),
        ("2.41", "✓ Right."),
        ("sqrt(2) - 1", "✗ Not yet. That is v2"),
        ("17", "✗ Not yet."),
        ("-1 - sqrt(2)", "✗ Not yet. The size is right, the sign is not."),
        ("2,41", "? One value is expected, not 2"),
        ("2*u", "? u is not known here"),
        ("", "Type a number first."),
    ],
)
def test_a_number_is_judged(visit, typed, said):
    asked = question(visit.page, "balance-ex-limit")
    field = asked.get_by_label("Your answer (a number)")
    field.fill(typed)
    field.press("Enter")
    expect(reply(asked)).to_contain_text(said[:24])
    assert "\\(" not in reply(asked).text_content()
    if "That is" in said:
        assert reply(asked).locator("mjx-container").count() == 1


def test_an_expression_is_judged(visit):
    asked = question(visit.page, "balance-ex-noise")
    field = asked.get_by_label("Your answer (an expression in D, eta, sigma, N)")
    for typed, said in {
        "D / exp(4*N*(eta*sigma)^2)": "Right.",
        "D·exp(−4·η²·σ²·N)": "Right.",  # noqa: RUF001
        "D": "The gradient does not vanish",
    }.items():
        field.fill(typed)
        asked.get_by_role("button", name="Check").click()
        expect(reply(asked)).to_contain_text(said)


def test_an_option_is_chosen_by_keyboard(visit):
    page = visit.page
    asked = question(page, "balance-ex-limit", 2)
    group = asked.get_by_role("radiogroup", name="Where does the flow from")
    expect(group.get_by_role("radio")).to_have_count(3)
    asked.get_by_role("button", name="Check").click()
    expect(reply(asked)).to_have_text("Choose one of the options first.")
    question(page, "balance-ex-limit").get_by_role("button").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(reply(asked)).to_contain_text("Not yet. The flow keeps")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(reply(asked)).to_contain_text("Right.")


def order(asked):
    return asked.locator(".ib-options > li").evaluate_all(
        "(items) => items.map((item) => item.value)"
    )


def test_steps_are_ordered_by_keyboard(visit):
    page = visit.page
    asked = question(page, "balance-ex-midpoint")
    [expected] = exercises()["balance-ex-midpoint"]
    wanted = [expected.shown.index(step) + 1 for step in range(len(expected.steps))]
    assert order(asked) == [1, 2, 3, 4, 5]
    for place, step in enumerate(wanted):
        name = f"Move step {'abcde'[step - 1]} up"
        asked.get_by_role("button", name=name).focus()
        for moved in range(order(asked).index(step), place, -1):
            page.keyboard.press("Enter")
            expect(reply(asked)).to_have_text(
                f"Step {'abcde'[step - 1]} is now number {moved} of 5."
            )
            focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
            assert focused == name
    assert order(asked) == wanted
    asked.get_by_role("button", name="Check").press("Enter")
    expect(reply(asked)).to_contain_text("Right.")


def test_a_step_at_an_end_stays_there(visit):
    asked = question(visit.page, "balance-ex-midpoint")
    asked.get_by_role("button", name="Move step a up").click()
    asked.get_by_role("button", name="Move step e down").click()
    assert order(asked) == [1, 2, 3, 4, 5]
    asked.get_by_role("button", name="Check").click()
    expect(reply(asked)).to_contain_text("Not yet. Step a needs one that comes later.")


def test_answers_are_remembered(visit):
    page = visit.page
    limit = [question(page, "balance-ex-limit", number) for number in (1, 2)]
    steps = question(page, "balance-ex-midpoint")
    limit[0].locator("input").fill("1 + sqrt(2)")
    limit[1].get_by_role("radio").nth(0).check()
    steps.get_by_role("button", name="Move step a down").click()
    for asked in (*limit, steps):
        asked.get_by_role("button", name="Check").click()
    page.locator(".ib-prediction").first.get_by_role("button", name="yes").click()
    page.reload()
    expect(limit[0].locator("input")).to_have_value("1 + sqrt(2)")
    expect(reply(limit[0])).to_contain_text("Right.")
    expect(limit[1].get_by_role("radio").nth(0)).to_be_checked()
    expect(reply(limit[1])).to_contain_text("Not yet.")
    assert order(steps) == [2, 1, 3, 4, 5]
    expect(page.get_by_text("You predicted a.")).to_be_visible()
    assert page.get_by_text("You predicted a.").count() == 1


def test_a_browser_that_keeps_nothing_does_no_harm(exercise_reader):
    with exercise_reader.visit(PAGE) as visit:
        page = visit.page
        page.add_init_script(
            "Object.defineProperty(window, 'localStorage', "
            "{ get() { throw new DOMException('no', 'SecurityError'); } })"
        )
        page.reload()
        asked = question(page, "balance-ex-limit")
        asked.locator("input").fill("1 + sqrt(2)")
        asked.locator("input").press("Enter")
        expect(reply(asked)).to_contain_text("Right.")


def test_a_prediction_is_one_click_and_can_be_skipped(visit):
    page = visit.page
    first, second = page.locator(".ib-prediction").all()
    assert first.locator(".ib-answer").evaluate(HIDDEN)
    first.get_by_role("button", name="no, it rises").click()
    expect(first.get_by_role("status")).to_contain_text("That is what you predicted.")
    expect(first.get_by_role("status")).to_contain_text("What happens: b. Because")
    assert first.get_by_role("button", pressed=True).text_content() == "b no, it rises"
    assert second.locator(".ib-answer").evaluate(HIDDEN)
    second.get_by_role("button", name="Skip").click()
    expect(second.get_by_role("status")).to_have_text("What happens: a. It goes on.")
    assert second.get_by_role("button", pressed=True).count() == 0
    second.get_by_role("button", name="Ask me again").click()
    assert second.locator(".ib-answer").evaluate(HIDDEN)


def test_solutions_are_folded_with_what_follows_them(visit):
    page = visit.page
    first = page.locator("details", has_text="The text of the first solution.")
    assert first.locator("summary").text_content() == (
        "Solution to Exercise 1 (A number and a choice)"
    )
    belongs = [
        "The text of the first solution.",
        "What follows the first",
        "and its code",
    ]
    for text in belongs:
        assert page.get_by_text(text).evaluate(HIDDEN)
    first.locator("summary").press("Enter")
    for text in belongs:
        expect(page.get_by_text(text)).to_be_visible()
    for text in ("The text of the second exercise.", "Text that stays open."):
        expect(page.get_by_text(text)).to_be_visible()
    assert page.get_by_text("The text of the second solution.").evaluate(HIDDEN)


def test_print_shows_predictions_and_no_fields(visit):
    page = visit.page
    page.emulate_media(media="print")
    for answer in page.locator(".ib-answer").all():
        expect(answer).to_be_visible()
    assert page.locator(".ib-prompt:visible").count() == 7
    for option in page.locator(".ib-options > li").all():
        expect(option).to_be_visible()
    for control in page.locator(".ib-question :is(input, button), .ib-skip").all():
        assert control.evaluate(HIDDEN)
    assert page.get_by_text("The text of the first solution.").evaluate(HIDDEN)


def test_without_scripts_all_stands_there(exercise_reader):
    with exercise_reader.visit(PAGE, scripts=False) as visit:
        page = visit.page
        for text in (
            *("The text of the first exercise.", "What is", "Where does the flow"),
            *("Will it", "It goes on.", "What happens: b."),
        ):
            expect(page.get_by_text(text).first).to_be_visible()
        assert page.locator(".ib-question :is(input, button)").count() == 0
        page.locator("summary", has_text="Solution to Exercise 1").click()
        expect(page.get_by_text("The text of the first solution.")).to_be_visible()


def test_answers_are_not_in_the_text_nor_in_the_search(exercise_reader):
    hint = "That is the balanced solution"
    text = (exercise_reader.root / f"{PAGE}.html").read_text(encoding="utf-8")
    assert hint not in text
    for asked in exercises()["balance-ex-noise"]:
        assert right(asked) not in text
    index = (exercise_reader.root / "searchindex.js").read_text(encoding="utf-8")
    assert '"prove' in index or '"proof"' in index
    assert "vanish" not in index


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_page_in_use_has_no_barriers(exercise_reader, scheme, width):
    with exercise_reader.visit(PAGE, scheme=scheme, width=width) as visit:
        page = visit.page
        page.locator(".ib-prediction li button").first.click()
        for asked in page.locator(".ib-question").all():
            for field in asked.locator("input").all()[:1]:
                field.check() if field.get_attribute("type") == "radio" else field.fill(
                    "2"
                )
            asked.get_by_role("button", name="Check").click()
            expect(reply(asked)).not_to_be_empty()
        page.locator("summary", has_text="Solution to Exercise 1").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # The theme leaves its logo outside all landmarks.
        found = Axe().run(page).response["violations"]
        assert [rule for rule in found if rule["id"] != "region"] == []


def test_a_prediction_has_options_one_that_happens_and_what_is_told():
    text = "- a\n- [x] b\n\nIt is so.\n\nSee below."
    assert checks.foreseen(text) == (["a", "b"], 1, "It is so.\n\nSee below.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n- b\n\nSo.",
        "- [x] a\n- [x] b\n\nSo.",
        "- [x] a\n- b",
        "a\n- [x] b\n\nSo.",
    ],
)
def test_a_prediction_that_lacks_something_is_refused(text):
    with pytest.raises(ValueError, match="one of them marked"):
        checks.foreseen(text)


def cell(source):
    code = nodes.literal_block(source, source)
    return nodes.container("", nodes.container("", code), classes=["cell"])


@pytest.mark.parametrize(
    ("source", "asks"),
    [
        ('check("ex-label")', True),
        ('from ibcore.exercises import check\n\ncheck("ex-label")', True),
        ('check("ex-label", 2)', False),
        ('print(1)\ncheck("ex-label")', False),
        ("", False),
    ],
)
def test_a_cell_that_only_asks_is_known(source, asks):
    assert checks.asks(cell(source)) == asks
