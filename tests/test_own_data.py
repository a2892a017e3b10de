"""The README's section "Your own data" runs as written, and with the arrays that people
have.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

README = Path(__file__).parents[1] / "README.md"
SNIPPET = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)[0]
KINDS = {
    "as written": (lambda X: X, lambda y: y),
    "a DataFrame": (lambda X: pd.DataFrame(X.numpy(), index=[9, 4, 2, 7]), np.asarray),
    "NumPy": (np.asarray, np.asarray),
    "integers for labels": (np.asarray, lambda y: y.int().numpy()),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_snippet_runs_and_the_angle_falls(name):
    head, tail = SNIPPET.split("\nbest = ")
    names = {}
    exec(head, names)  # noqa: S102
    for letter, kind in zip("Xy", KINDS[name], strict=True):
        names[letter] = kind(names[letter])
    exec("best = " + tail, names)  # noqa: S102
    run, best = names["run"], names["best"]
    assert run.reached
    assert best.margin == pytest.approx(13 / np.hypot(5, 4), rel=1e-9)
    angles = names["sin_angle"](run.theta[:, 0], best.primal)
    assert float(angles[1]) < 1e-5 < float(angles[0])
    assert run.theta.dtype == torch.float64
