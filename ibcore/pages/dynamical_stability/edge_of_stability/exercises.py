"""Questions of the exercises on the edge of stability."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "eos-ex-leave": Number(
        "Which step for gradient descent, and which for Nesterov's momentum?",
        [0.2, 0.15],
        {
            "(0.05, 0.0375)": r"Does the bound $2/\eta$ rise or fall with the step?",
            "(0.2, 0.2)": "Momentum has another threshold: see "
            "{prf:ref}`eos-prop-momentum`.",
            "(0.2, 0.3)": "The second is the step for the heavy ball.",
            "(0.2, 4/15)": "Does Nesterov's momentum have a higher or a lower threshold "
            "than gradient descent with the same step?",
            "(0.2, 0.075)": r"The second edge would be at 20: that of $\eta = 0.1$, not "
            "half of it.",
            "(0.15, 0.2)": "The order of the two is the other one.",
        },
    ),
    "eos-ex-halve": Choice(
        "The median of the sharpness over the eight networks at the end is",
        {
            "near 40 both times, at the new bound": "What drives the sharpness up, and is "
            "it still there after 1,000 steps?",
            "near 20 both times, where it was before": "What held the sharpness at 20?",
            "near 10 both times, as the step is half": r"The bound is $2/\eta$.",
            "above 30 after 400 steps, below 30 after 1,000": RIGHT,
            "below 30 after 400 steps, above 30 after 1,000": "Which networks have more "
            "loss left when the step is halved?",
        },
    ),
    "eos-ex-growth": [
        Order(
            "Put the proof for the heavy ball in order.",
            r"""
            - At the threshold $\eta h^* = 2 + 2\beta$, so that $a = 1 + \beta - \eta h^* =
              -(1 + \beta)$ there.
            - Beyond it, at $h = (1 + \varepsilon) h^*$, the characteristic polynomial has
              at $-1$ the value $p(-1) = 2 + 2\beta - \eta h = -(2 + 2\beta)\,
              \varepsilon$.
            - A root at $-(1 + \rho\varepsilon)$ means $p(-1) + \rho\varepsilon\, (2 + a) =
              0$ to first order, where $a$ may be taken at the threshold.
            - With the values of $a$ and $p(-1)$ this becomes $\rho\, (1 - \beta) = 2 +
              2\beta$.
            """,
            needs={2: (), 3: (0, 1, 2)},
        ),
        Formula(
            "What is $2 + a$ for Nesterov's momentum at its threshold $h = h^*$?",
            "(1 + 3*beta)/(1 + 2*beta)",
            {
                "1 - beta": "That is its value for the heavy ball.",
                "-(1 + beta)/(1 + 2*beta)": "That is $a$.",
                "(2 + 2*beta)/(1 + 2*beta)": r"That is $\eta h^*$.",
                "(3 + 5*beta)/(1 + 2*beta)": "The sign of $a$ is wrong.",
                "3 + beta": r"That is its value for $\eta h = 0$.",
            },
            variables={"beta": (0.1, 0.9)},
        ),
    ],
}
