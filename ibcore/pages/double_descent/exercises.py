"""Questions of the exercises of the page on double descent."""

from ibcore.questions import RIGHT, Choice, Formula, Order

EXERCISES = {
    "ex-more-data": [
        Choice(
            "For which number of examples is the risk largest?",
            {
                "20": "Fewest examples, but where is the threshold for $p = 50$?",
                "30": "The risk is larger than for 20. Go on.",
                "50": RIGHT,
                "70": "Here all directions are determined with examples to spare. Where "
                "are there just enough?",
                "100": "Here all directions are determined, and half of the examples "
                "are to spare.",
            },
        ),
        Choice(
            "Is the risk for 30 examples lower than for 20?",
            {
                "yes": "Put both into {prf:ref}`thm-weak-features`: with $p > n$ the "
                "factor $1 + n/(p - n - 1)$ grows with $n$.",
                "no": RIGHT,
            },
        ),
    ],
    "ex-clean-networks": Choice(
        "With label noise the middle loss was about three times the higher of the other "
        "two. Without noise this ratio is",
        {
            "as large as before": "A network of middle width still bends to fit the last "
            "examples. What is different about these?",
            "larger": "Noise is what the networks have to bend for. Without it, what "
            "is left?",
            "much closer to 1": RIGHT,
        },
    ),
    "ex-no-u": [
        Formula(
            r"Differentiate $v(p)/(n - 1 - p)$ by $p$, where $v(p) = 1 + \sigma^2 - "
            r"p/D$, and multiply by $(n - 1 - p)^2$. What is left?",
            "1 + sigma^2 - (n - 1)/D",
            {
                "(1 + sigma^2) - (n - 1 - p)/D": "The second part of the quotient rule "
                "is $v(p)$, which contains $-p/D$ as well.",
                "1 + sigma^2 - p/D": "That is the part of the denominator. The numerator "
                "depends on $p$, too.",
                "1 + sigma^2 + (n - 1 - 2*p)/D": "The derivative of the numerator is "
                "$-1/D$, with its sign.",
                "-1/D": "That is the derivative of $v$ alone.",
            },
            variables={
                "n": (20, 60),
                "p": (1, 15),
                "D": (20, 80),
                "sigma": (0.2, 1.5),
            },
        ),
        Choice(
            "Why does this prove that the risk is monotone or constant?",
            {
                "It does not depend on $p$.": RIGHT,
                "It is positive.": "Not always: take a small $D$.",
                "It vanishes at one $p$ only.": "A change of sign at one $p$ would be "
                "a U or a hill.",
            },
        ),
    ],
    "ex-other-interpolant": [
        Choice(
            r"Where does descent from $w_0 = Z^\top u$ end?",
            {
                r"at $Z^{+} y + Z^\top u$": "What part of $Z^\\top u$ lies outside of "
                "the row space?",
                r"at $Z^{+} y$": RIGHT,
                r"at the solution that is closest to $u$": "The start is $Z^\\top u$; "
                "$u$ has one coordinate for each example.",
                r"at $Z^\top u$": "The gradient there is not zero, unless it fits.",
            },
        ),
        Order(
            "Put the proof in order.",
            r"""
            - Every gradient $\frac2n Z^\top (Zw - y)$ lies in the row space of $Z$.
            - As the start lies there too, so does every $w_k$.
            - So the difference of $w_k$ and the least-squares solution in the row space
              is a combination of eigenvectors of $\frac2n Z^\top Z$ with eigenvalues
              $\lambda > 0$.
            - In every step its coordinates are multiplied by $1 - \eta\lambda$, which
              is below 1 in modulus.
            - So the difference tends to zero, from every start in the row space.
            """,
        ),
    ],
}
