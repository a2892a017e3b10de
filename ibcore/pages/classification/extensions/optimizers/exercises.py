"""Questions of the exercises of the page on other optimizers."""

from ibcore.questions import RIGHT, Choice, Number, Order

EXERCISES = {
    "optimizers-ex-predict": Number(
        "What is the second weight over the first in the direction that is found by "
        "coordinate descent, gradient descent, sign descent and AdaGrad? Four numbers "
        "in this order.",
        [0, 1 / 3, 1, 1],
        {
            "(0, 1/3, 1, 1/3)": "AdaGrad divides each coordinate by the root of its own "
            "sum of squares. What is left of the ratio?",
            "(0, 1/3, 1/3, 1)": "What is the sign of $(3, 1)$?",
            "(0, 1/3, 1, 0)": "AdaGrad moves all coordinates.",
            "(0, 3, 1, 1)": "Asked is the second weight over the first.",
            "(1/3, 1/3, 1, 1)": "Coordinate descent moves the coordinate with the "
            "largest derivative only. Which one is that, at every step?",
            "(1, 1/3, 1, 1)": "Coordinate descent moves the coordinate with the largest "
            "derivative only. Which one is that, at every step?",
        },
    ),
    "optimizers-ex-modify": Choice(
        "Which margin gap is smaller in the end?",
        {
            r"that in $\ell_4$": RIGHT,
            r"that in $\ell_2$": "Of which norm is it the steepest descent?",
            "neither: both tend to zero": "The largest margins in two norms belong to "
            "two directions, and the limit is one.",
        },
    ),
    "optimizers-ex-prove": [
        Order(
            r"Put the proof in order. Here $u_k$ is the first and $v_k$ the second "
            r"moment, and $r > \frac12 \log(1/\beta_2)$.",
            r"""
            - In every coordinate $v_k \ge (1 - \beta_2)\, \beta_2^k\, g_0^2$, so that
              $\sqrt{v_k} \ge c\, \beta_2^{k/2}$.
            - The first moment is at most a constant times $k \max(\beta_1, e^{-r})^k$.
            - As $\beta_1$ and $e^{-r}$ are below $\sqrt{\beta_2}$, the quotient
              $u_k/\sqrt{v_k}$ shrinks exponentially.
            - So the sum of all steps is finite, and the weights stay bounded.
            - There the gradients are bounded from below, which contradicts that they
              shrink like $e^{-rk}$.
            """,
            needs={1: (), 2: (0, 1)},
        ),
        Number(
            r"By how much can the smallest margin grow a step at most, in the long run, "
            r"for $\beta_2 = 0.999$?",
            "log(1/0.999)/2",
            {
                "log(1/0.999)": r"That is $2r$: the second moment stands under a root.",
                0.999: "That is the factor by which the second moment is kept. Asked is "
                "the rate $r$.",
            },
        ),
    ],
}
