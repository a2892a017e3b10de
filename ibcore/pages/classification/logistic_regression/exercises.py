"""Questions of the exercises of the page on logistic regression."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "ex-one-example": [
        Formula(
            "What are the two coordinates of $w(t)$? Separate them by a comma.",
            "3/25*log(1 + 25*t), 4/25*log(1 + 25*t)",
            {
                "3/5*log(1 + 25*t), 4/5*log(1 + 25*t)": "The direction is right. As "
                r"$w = c\, x$ has the margin $c\, \|x\|^2$, the factor is "
                r"$1/\|x\|^2$, not $1/\|x\|$.",
                "3*log(1 + 25*t), 4*log(1 + 25*t)": "The margin is $w \\cdot x$, and "
                r"$x \cdot x = 25$.",
                "3*log(1 + t), 4*log(1 + t)": "The margin $m = w \\cdot x$ moves with "
                r"the speed $\|x\|^2 e^{-m}$.",
                "3/25*log(25*t), 4/25*log(25*t)": r"At $t = 0$ this is $-\infty$, and "
                "the flow starts at zero.",
            },
            variables={"t": (0.1, 3)},
        ),
        Number(
            r"What is $t L \gamma^2$ at $t = 1$?",
            "25/26",
            {
                1: r"That is the limit for $t \to \infty$.",
                "1/26": r"That is the loss. Multiply it by $\gamma^2$.",
                "5/26": r"The margin $\gamma$ is 5, and it is squared.",
            },
            tolerance=0.005,
        ),
    ],
    "ex-another-start": [
        Choice(
            r"Does the direction at $\log L = -10^6$ change?",
            {
                "yes": "The theorem has the same limit from any start.",
                "no, to within what is left of $1/\\log t$": RIGHT,
            },
        ),
        Choice(
            "Does the remainder on the support vectors change?",
            {
                "yes, it keeps what the start had there": "Look at {eq}`eq-remainder`: "
                "which of its parts knows the start?",
                "no, its limit is the same": RIGHT,
            },
        ),
    ],
    "ex-row-space": Order(
        "Put the proof in order.",
        r"""
        - The gradient $-\frac1n \sum_i q_i y_i x_i$ lies in the span of the inputs.
        - So the part of $w$ that is orthogonal to the span never changes.
        - The projection of a feasible $w$ onto the span has the same margins, and a
          norm that is not larger.
        - So the minimizer $\hat w$ lies in the span.
        - In the direction of $w(t)$, whose norm grows like $\log t$, the part that does
          not change fades, and what is left can converge to $\hat w$.
        """,
        needs={2: (), 4: (1, 3)},
    ),
}
