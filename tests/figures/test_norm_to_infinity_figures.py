import pytest

from ibcore.figures.norm_to_infinity import _written


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 - 1e-9, "1.0000"),
        (0.1234, "0.123"),
        (842.6, "843"),
        (5.31e-4, r"$5.3 \times 10^{-4}$"),
        (7.4e10, r"$7.4 \times 10^{10}$"),
    ],
)
def test_entries_are_written_as_a_reader_expects(value, text):
    assert _written(value) == text
