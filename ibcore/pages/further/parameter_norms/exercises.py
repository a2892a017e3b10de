"""Questions of the exercises of the page on parameter norms."""

from ibcore.questions import RIGHT, Choice, Formula, Number, Order

EXERCISES = {
    "pn-ex-line": [
        Number(
            "What is the least cost through the points on $y = 3x$?",
            3,
            {
                6: "So much costs a network that is this line on the whole axis. It may "
                "bend before the first point.",
                0: "The polygon does not bend, but a line costs neurons, too.",
                9: r"A neuron with $aw = 3$ need not have $w = 1$.",
                4.5: r"A neuron with $aw = 3$ need not have $w = 3$ or $a = 3$.",
                5: r"The factors 1 and 3 have the product 3, but not the least squares.",
            },
        ),
        Number(
            "And through those on $y = |x|$?",
            2,
            {
                1: "How much does the slope jump at zero?",
                0: "Only the slopes at the two ends cancel, and that is $D$.",
            },
        ),
    ],
    "pn-ex-biases": [
        Choice(
            "With the penalty on the biases, is the cost still that of the program?",
            {
                "yes: the biases make up for the move": "They do, but now they pay for "
                "it.",
                "yes, as long as the penalty is weak": "However weak it is, it asks for "
                "the cheapest of the networks that fit, and counts the biases.",
                "no": RIGHT,
            },
        ),
        Formula(
            r"A neuron with $w > 0$ bends at $t$, where the slope jumps by $s = aw > 0$. "
            r"What is the least $\frac12 (w^2 + b^2 + a^2)$?",
            "s*sqrt(1 + t^2)",
            {
                "s": "That is without the bias. What is $b$, if the neuron bends at $t$?",
                "s*(1 + t^2)": r"The inequality of the means has the root of $w^2 + b^2$.",
                "s*(1 + t^2/2)": r"This has $a = w$. With the bias another division of "
                "$aw = s$ is cheaper.",
                "s*(1 + abs(t))": "The bias is counted by its square, beside that of "
                "$w$.",
            },
            variables={"s": (0.5, 3), "t": (0.5, 4)},
        ),
        Formula(
            r"And what is $\frac12 (w^2 + a^2)$ of this cheapest neuron?",
            "s*(2 + t^2)/(2*sqrt(1 + t^2))",
            {
                "s": "That is its least value. At the optimum with the bias $a^2 = w^2 + "
                "b^2$, so $a$ and $w$ are not equal.",
                "s*sqrt(1 + t^2)": "That is with the bias.",
            },
            variables={"s": (0.5, 3), "t": (0.5, 4)},
        ),
    ],
    "pn-ex-matrix": [
        Order(
            r"Let $M = \sum_i \sigma_i u_i v_i^\top$ be the singular value decomposition. "
            "Put the proof that it cannot be less in order.",
            r"""
            - For all $i$, $\sigma_i = u_i^\top W_2 W_1 v_i$.
            - By Cauchy and Schwarz $u_i^\top W_2 W_1 v_i \le \|W_2^\top u_i\|\, \|W_1
              v_i\|$.
            - By the inequality of the means this product is at most $\frac12
              (\|W_2^\top u_i\|^2 + \|W_1 v_i\|^2)$.
            - So the sum of all $\sigma_i$ is at most the sum of these halves.
            - As the $u_i$ are orthonormal, and the $v_i$, that sum is at most $\frac12
              (\|W_2\|_F^2 + \|W_1\|_F^2)$.
            """,
            needs={1: (), 2: (1,), 3: (0, 2)},
        ),
        Choice(
            r"Let $U$, $\Sigma$, $V$ have the $u_i$ as columns, the positive $\sigma_i$ on "
            "the diagonal, and the $v_i$ as columns. Which factors attain it?",
            {
                r"$W_2 = U \Sigma$, $W_1 = V^\top$": r"Their squares sum to $\sum_i "
                r"(\sigma_i^2 + 1)$.",
                r"$W_2 = U$, $W_1 = \Sigma V^\top$": r"Their squares sum to $\sum_i (1 + "
                r"\sigma_i^2)$.",
                r"$W_2 = U \Sigma^{1/2}$, $W_1 = \Sigma^{1/2} V^\top$": RIGHT,
            },
        ),
        Choice(
            "Which width is needed?",
            {
                "1": "With one hidden neuron the product has rank 1 at most.",
                "the rank of $M$": RIGHT,
                "the smaller one of the numbers of inputs and outputs": "That is enough "
                "for all $M$. Some need less.",
                "the number of inputs": "That is enough for all $M$. Some need less.",
            },
        ),
    ],
}
