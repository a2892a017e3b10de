"""Questions of the exercises of the page on stable minima."""

from ibcore.questions import Formula, Number, Order

EXERCISES = {
    "stable-ex-thresholds": [
        Number(
            "Below which step size can gradient descent stay in the first minimum, and "
            "below which in the second? Give two numbers.",
            "0.2, 0.5",
            {
                "0.1, 0.25": "Up to there the ball does not cross the bottom. It may, as "
                "long as it comes closer.",
                "0.5, 0.2": "The sharper minimum needs the smaller step.",
                "0.05, 0.125": r"A step multiplies the distance by $1 - \eta S$. When is "
                "this $-1$?",
            },
        ),
        Number(
            "And in the two minima of the first explorer, the narrow one and the wide "
            "one?",
            "0.125, 1",
            {
                "1, 0.125": "The narrow one needs the smaller step.",
                "0.0625, 0.5": "Up to there the ball does not cross the bottom.",
            },
        ),
    ],
    "stable-ex-momentum": Formula(
        r"Up to which $\eta S$, in terms of $\beta$?",
        "2*(1 + beta)",
        {
            "2": "That is without momentum.",
            "2/(1 - beta)": "The sum of many steps in one direction is longer by this "
            "factor. But at the threshold the steps alternate.",
            "2*(1 - beta)": "Momentum holds minima that are sharper, not flatter: steps "
            "that alternate cancel in part.",
            "1 + beta": r"There the polynomial has the roots $\pm\sqrt{-\beta}$, inside "
            "the unit circle.",
            "(1 + sqrt(beta))^2": "There a pair of complex roots becomes real, at "
            r"$-\sqrt\beta$, inside the unit circle.",
        },
        variables={"beta": (0.2, 0.9)},
    ),
    "stable-ex-balanced": [
        Order(
            "Put the proof in order.",
            r"""
            - A step has $x' - y' = (x - \eta r y) - (y - \eta r x) = (1 + \eta r)(x -
              y)$.
            - At the two points of the orbit $r_i = x_i^2 - 1$, since $x = y$ there.
            - With {eq}`eq-stable-orbit`, $r_1 + r_2 = \frac1\eta - 1$ and $r_1 r_2 =
              \frac1{\eta^2} - \frac1\eta$.
            - So two steps multiply a small $x - y$ by $1 + \eta (r_1 + r_2) + \eta^2
              r_1 r_2$.
            - This is $1 + (1 - \eta) + (1 - \eta) = 3 - 2\eta$.
            """,
            needs={1: (), 3: (0,), 4: (2, 3)},
        ),
        Number(
            r"Between which two values of $\eta$ does the orbit attract in both "
            "directions?",
            "1, sqrt(5) - 1",
            {
                "1, 2": "That is across the line $x = y$. What happens along it?",
                "1, 3/2": "At $3/2$ the factor across the line vanishes. The limit comes "
                "from the other direction.",
                "0, sqrt(5) - 1": "Up to 1 there is no such orbit.",
            },
        ),
    ],
    "stable-ex-median": Number(
        "By which factor does a step multiply the mean, the mean square and, over many "
        "steps, the median? Give three numbers.",
        "9/8, 39/16, 3^(1/4)/2^(3/4)",
        {
            "9/8, 81/64, 3^(1/4)/2^(3/4)": "The second is the square of the mean, which "
            "is less than the mean of the square.",
            "9/8, 39/16, 1/2": "That is the median of one step. Over many steps about a "
            "quarter of the factors are 3.",
            "9/8, 39/16, 9/8": "A few very large numbers carry the mean. The median "
            "follows the mean of the logarithms.",
            "9/8, 39/16, -0.245": "That is what is added to the logarithm.",
            "9/8, 39/16, log(3)/4 - 3*log(2)/4": "That is what is added to the logarithm.",
        },
    ),
}
