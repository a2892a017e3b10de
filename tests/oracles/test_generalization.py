import math

import pytest

from ibcore.oracles.generalization import hard_margin_bound
from ibcore.validation import InvalidInput


def test_bound_by_hand():
    expected = 2 * 3.0 / (0.5 * 10) + math.sqrt(2 * math.log(2 / 0.1) / 100)
    assert hard_margin_bound(3.0, 0.5, 100, 0.9) == pytest.approx(expected, rel=1e-12)


def test_bound_falls_like_one_over_the_root_of_n_and_rises_with_confidence():
    assert hard_margin_bound(3.0, 0.5, 400) == pytest.approx(
        hard_margin_bound(3.0, 0.5, 100) / 2, rel=1e-12
    )
    assert hard_margin_bound(3.0, 0.5, 100, 0.99) > hard_margin_bound(
        3.0, 0.5, 100, 0.9
    )


@pytest.mark.parametrize(
    "arguments",
    [
        (0.0, 1.0, 5),
        (1.0, -1.0, 5),
        (1.0, 1.0, 0),
        (1.0, 1.0, 5, 1.0),
        (1.0, math.nan, 5),
        (1.0, 1.0, 5, 0.0),
    ],
)
def test_bad_input_is_refused(arguments):
    with pytest.raises(InvalidInput):
        hard_margin_bound(*arguments)
