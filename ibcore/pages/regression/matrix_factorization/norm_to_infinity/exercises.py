"""Questions of the exercises of the page on norms that go to infinity."""

from ibcore.questions import RIGHT, Choice, Number, Order

EXERCISES = {
    "norm-ex-digit": Number(
        "By what factor must $t$ grow for a tenth of the loss, late in training? Give "
        "three numbers: for depth 2, for depth 4, and in the limit of infinite depth.",
        "10^(3/2), 10^(5/4), 10",
        {
            "10^(2/3), 10^(4/5), 10": "By these factors the loss falls when $t$ grows "
            "tenfold. Asked is the converse.",
            "10^3, 10^(5/2), 100": "That is for a free entry that is ten times as large. "
            "The loss goes with the inverse of its square.",
            "10^(3/2), 10^(5/4), 1": "The exponent of the loss tends to $-1$ with the "
            "depth: it does not grow without bound.",
            "3/2, 5/4, 1": "These are the powers of 10.",
        },
        tolerance=0.03,
    ),
    "norm-ex-one": [
        Choice(
            "What does the free entry $W_{11}$ do at depth 1?",
            {
                "It grows without bound.": "The loss does not depend on $W_{11}$, and "
                "there is no other layer through which it could be moved.",
                "It stays where it was at the start.": RIGHT,
                "It tends to zero.": "The loss does not depend on $W_{11}$: its gradient "
                "has a zero there.",
            },
        ),
        Choice(
            "Which step of the proof fails?",
            {
                "The determinant of every solution is $-1$.": "That is true of the "
                "solutions, whatever the training.",
                "A singular value that is positive stays positive.": RIGHT,
                "Where the determinant is positive, $W_{11} W_{22} > W_{12} W_{21}$.": (
                    "That is the formula for the determinant."
                ),
                "Where the loss is below one third, $W_{12} W_{21} > 0$.": "That holds "
                "for every matrix.",
            },
        ),
    ],
    "norm-ex-least": [
        Order(
            "Put the proof in order.",
            r"""
            - The determinant is $-1$, so the singular values are $s \ge 1$ and $1/s$.
            - The sum of their powers is $s^p + s^{-p} = 2 \cosh(p \log s)$.
            - As the hyperbolic cosine has its only minimum at zero, the quasi-norm is
              least for $s = 1$ and for no other $s$.
            - The squared Frobenius norm is $s^2 + s^{-2}$, and also $x^2 + 2$.
            - So $s = 1$ means $x = 0$: there, and only there, the quasi-norm is least.
            """,
            needs={3: (0,), 4: (2, 3)},
        ),
        Choice(
            r"Where among the solutions is $\sum_r \log \sigma_r$ least?",
            {
                "at $x = 0$ only": "What is the product of the singular values?",
                r"nowhere: it tends to $-\infty$ as $|x| \to \infty$": "One singular value "
                "tends to zero there, and the other one to infinity.",
                "everywhere: it is the same for all solutions": RIGHT,
            },
        ),
    ],
}
