"""The multiclass support vector machine without bias, certified."""

from __future__ import annotations

import cvxpy as cp
import numpy as np

from ibcore.oracles import programs
from ibcore.oracles.max_margin import CLOSE, MaxMargin, certify
from ibcore.oracles.separability import separating_direction
from ibcore.threads import threads
from ibcore.validation import InvalidInput, class_labels, real_tensor


@threads()
def multiclass_max_margin(X: object, classes: object, count: int) -> MaxMargin:
    """min sum_k |w_k|^2 / 2 subject to (w_{y_i} - w_k).x_i >= 1 for every example i and
    class k != y_i.

    X: (n, d).      classes: y, (n,) integers from 0 to `count` - 1 = K - 1.      The
    result holds the rows w_k one after the other in `primal` (K d), and the dual
    variables of the pairs (i, k), k rising and without y_i, in `dual` (n (K - 1)).
    (Soudry et al. 2018, section on several classes; Crammer and Singer's constraints
    without slack.)

    Equivariant, as `max_margin` is, under a common factor of X. Raises `InvalidInput`
    for malformed data and where the margin is not resolved in double precision, and
    `NotSeparable` where no linear rule gets all classes right.
    """
    inputs, labels, rows = separable_classes(X, classes, count)
    scale = np.abs(inputs).max()
    W = cp.Variable((count, inputs.shape[1]))
    scores = inputs / scale @ W.T
    own = cp.sum(cp.multiply(scores, np.eye(count)[labels]), axis=1)
    ahead = [own[labels != k] - scores[labels != k, k] >= 1 for k in range(count)]
    problem = cp.Problem(cp.Minimize(cp.sum_squares(W) / 2), ahead)
    duals = np.zeros((len(inputs), count))
    if programs.clarabel_at_best(problem, CLOSE):
        for k, constraint in enumerate(ahead):
            duals[labels != k, k] = np.asarray(constraint.dual_value)
    return certify(rows, duals[~np.eye(count, dtype=bool)[labels]])


def separable_classes(
    X: object, classes: object, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs (n, d), their classes (n,), and the rows of `pair_rows`.

    Raises `InvalidInput` for malformed data and `NotSeparable` where no linear rule
    gets all classes right.
    """
    inputs = real_tensor("X", X, ndim=2).detach().cpu().double().numpy()
    labels = class_labels("classes", classes, count).cpu().numpy()
    if len(labels) != len(inputs):
        raise InvalidInput(
            f"X has {len(inputs)} rows and classes {len(labels)} entries; expected one "
            "class a row."
        )
    rows = pair_rows(inputs, labels, count)
    separating_direction(
        rows,
        f"no linear rule without bias puts all {len(inputs)} examples into their "
        f"{count} classes",
        "Points are counted as pairs of an example and a class. Append a column of "
        "ones for a bias if there is none, or remove points.",
    )
    return inputs, labels, rows


def pair_rows(inputs: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """(n (K - 1), K d): the row of (i, k) gives (w_{y_i} - w_k).x_i."""
    signs = np.eye(count)[labels][:, None, :] - np.eye(count)[None]
    rows = (signs[..., None] * inputs[:, None, None, :]).reshape(len(inputs), count, -1)
    return rows[~np.eye(count, dtype=bool)[labels]]
