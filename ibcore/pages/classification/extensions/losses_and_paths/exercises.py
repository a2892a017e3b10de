"""Questions of the exercises of the page on other losses and finite times."""

from ibcore.questions import RIGHT, Choice, Formula, Number

EXERCISES = {
    "paths-ex-power": [
        Formula(
            "What is $u_1/u_2$, in terms of $r > 0$ and $a$?",
            "r^(-a/(a + 2))",
            {
                "1/r": r"That is what is left for $a \to \infty$.",
                "r^(-a/(a + 1))": "On the circle the gradient of the constraint is $u$ "
                "itself, which adds a power.",
                "r^(a/(a + 2))": "That is $u_2/u_1$. A long example needs less of its "
                "coordinate.",
                "r": "The loss counts every example, here with a margin $r u_1$.",
            },
            variables={"r": (1.5, 5), "a": (0.5, 6)},
        ),
        Formula(
            r"And for $a \to \infty$?",
            "1/r",
            {
                "r": "That is $u_2/u_1$.",
                "1": "The margins become equal, and they are $r u_1$ and $u_2$.",
            },
            variables={"r": (1.5, 5)},
        ),
    ],
    "paths-ex-shift": Choice(
        "At any later loss, the run from equal rows less the run from zero is",
        {
            "$v$ in every row": RIGHT,
            "zero, as the limit does not depend on the start": "The direction has "
            "the same limit. But does anything ever push the rows back?",
            "a multiple of $v$ that grows with the rows": "Adding $v$ to all rows "
            "changes no pair margin. What then of the gradient?",
        },
    ),
    "paths-ex-two": [
        Number(
            r"With $w = w_1 - w_2$ and the logistic loss $L(w)$, $\dot w = -s\, \nabla "
            r"L(w)$. What is $s$?",
            2,
            {
                1: "So fast moves each of the two rows, in opposite directions.",
                "1/2": "Add the speeds of the two rows.",
                -2: r"The flow goes down: $\dot w = -s\,\nabla L$ has the minus sign "
                "already.",
            },
        ),
        Choice(
            r"The first class has the label $+1$. The rows of $\hat W$ are",
            {
                r"$\hat w$ and $-\hat w$": "Their difference is twice what it has to "
                "be.",
                r"$\hat w$ and $0$": "The difference is right. Is there a shorter pair "
                "with the same difference?",
                r"$\hat w/2$ and $-\hat w/2$": RIGHT,
                r"$\hat w/\sqrt2$ and $-\hat w/\sqrt2$": "What has to be $\\hat w$ is "
                "the difference of the rows.",
            },
        ),
    ],
}
