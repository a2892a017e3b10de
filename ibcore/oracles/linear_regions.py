"""How few linear pieces a function on the line needs."""

from __future__ import annotations

from ibcore.validation import InvalidInput, binary_data, real_tensor


def least_regions(x: object, y: object) -> int:
    """Least number of linear pieces of a continuous f on the line with y_i f(x_i) > 0:
    max(1, sign changes).

    Between two neighboring points of different labels f has a zero. A linear piece has
    one zero at most, unless it vanishes, which it does at no data point; so r changes
    need r pieces. A zigzag with one zero in each of these gaps and a corner between
    each pair of them attains it.

    Raises `InvalidInput` for malformed data and for two labels at the same point.
    """
    inputs, labels = binary_data(real_tensor("x", x, ndim=1)[:, None], y)
    order = inputs[:, 0].argsort()
    positions, signs = inputs[order, 0], labels[order]
    changes = signs[1:] != signs[:-1]
    if bool((changes & (positions[1:] == positions[:-1])).any()):
        raise InvalidInput(
            "two points with different labels lie at the same place; no function has "
            "both. Remove one."
        )
    return max(1, int(changes.sum()))
