"""Questions of the exercises of the page on simple predictors."""

from ibcore.questions import Formula, Number, Order

EXERCISES = {
    "ex-simple-by-hand": [
        Number(
            "What is the largest normalized margin?",
            "3/4",
            {
                "3/2": r"On this page the margin is divided by $\|\theta\|^2$, not by "
                "half of it.",
                "1": r"That is $\gamma/2$, which holds without a kink, for $s = 1$.",
                "1/2": r"That is $\gamma/4$, which holds for $s = 0$.",
                "3/8": r"The points are at distance 2 from the boundary: $\gamma = 2$.",
                "3": r"Have you divided by $\|\theta\|^2$?",
            },
        ),
        Number(
            "Which network attains it? Let the first neuron be the one with a positive "
            r"output weight, and scale the network so that $\|\theta\|^2 = 4$: what "
            "are $a_1, a_2, w_1, w_2$, in this order?",
            "1, -1, 1, -1",
            {
                "1, 1, 1, -1": "Then $f$ is positive at both points, and so one of "
                "them is misclassified.",
                "1, 1, 1, 1": "Then one point has twice the margin of the other, and "
                "the larger one is wasted.",
                "1, -1, 1, 1": "Then the two neurons cancel: $f = 0$.",
                "2, -2, 1, -1": r"That network has $\|\theta\|^2 = 10$, and is not "
                "balanced.",
                "sqrt(2), 0, sqrt(2), 0": "One neuron has the slope $s$ at one of the "
                "points: that margin is smaller than the other.",
            },
        ),
    ],
    "ex-simple-no-kink": Number(
        r"Let $\hat w$ be the shortest vector with $y_i\, \hat w \cdot x_i \ge 1$ for "
        r"all $i$. What are the factors $c_+$ and $c_-$ in $w_+ = c_+ \hat w$ and "
        r"$w_- = c_- \hat w$?",
        "1/2, -1/2",
        {
            "1, -1": r"Then $w_+ - w_- = 2 \hat w$, which is longer than it needs to "
            "be.",
            "1/2, 1/2": "Then $w_+ - w_- = 0$: the two cancel in the constraints.",
            "1, 1": "Then $w_+ - w_- = 0$: the two cancel in the constraints.",
            "1, 0": "This fits, but if the two share the work, the sum of their "
            "squares is smaller.",
            "1/sqrt(2), -1/sqrt(2)": r"Then $w_+ - w_- = \sqrt2\, \hat w$, and the "
            "constraints hold with room to spare.",
        },
    ),
    "ex-simple-copies": [
        Order(
            "Put the proof that the width does not matter in order.",
            r"""
            - Two copies of $(a, w)/\sqrt2$ have each half of the output of $(a, w)$
              and half of its squared norm.
            - So each network has one with a neuron more that has the same function and
              the same norm: the largest normalized margin never falls with the width.
            - By the bound of this page it is at most $(1 + s) \gamma/4$, for every
              width.
            - Two balanced neurons of opposite signs and equal mass, along $\pm \hat w$,
              attain this bound.
            - So with two neurons it is as large as it can ever be, and with more it is
              the same.
            """,
            needs={2: (), 3: (2,), 4: (1, 3)},
        ),
        Formula(
            "And with one neuron? Give the largest normalized margin of a single "
            r"neuron on symmetric data, in terms of $s$ and $\gamma$ (write gamma).",
            "s*gamma/2",
            {
                "(1 + s)*gamma/4": "That takes two neurons. One alone has different "
                "margins at $x$ and at $-x$.",
                "gamma/2": "That is its margin at one of the points $x$ and $-x$. Its "
                "slope is another one at the other.",
                "s*gamma": r"Divide by $\|\theta\|^2 = a^2 + \|w\|^2$, which is at "
                r"least $2 |a| \|w\|$.",
                "gamma/4": "The smallest margin has to do with the slope $s$.",
                "0": "A leaky neuron has the right sign at both of the points.",
            },
            variables={"s": (0.1, 0.9), "gamma": (0.3, 2)},
        ),
    ],
}
