"""Questions of the exercises of the page on univariate networks."""

from ibcore.questions import RIGHT, Choice, Formula, Number

EXERCISES = {
    "ex-univariate-two-points": [
        Number(
            r"What is the largest $\min_i y_i f(x_i)$?",
            "1/sqrt(2)",
            {
                "sqrt(2)": "So much has the best neuron at one point. The mass 1 must "
                "do for both.",
                "1/2": r"That is two neurons along $x$ alone. A neuron may use its bias.",
                1: r"A neuron of mass 1 changes the sum of the two margins by at most "
                r"$\sqrt2$.",
            },
        ),
        Number(
            "How many linear regions does this network have between the two points?",
            1,
            {
                2: "It has two kinks. Where are they?",
                3: "It has two kinks. Where are they?",
            },
        ),
    ],
    "ex-univariate-no-bias": [
        Number(
            "How many linear regions can such a network have at most, on the whole "
            "line?",
            2,
            {
                1: "Neurons with $w_j > 0$ and with $w_j < 0$ are active on different "
                "sides.",
                3: "Where are the kinks?",
            },
        ),
        Choice(
            "Which labels can it fit, if no point is at 0?",
            {
                "any, if it is wide enough": "Look at where all kinks are.",
                "those with at most one change of sign, wherever": "$f(0) = 0$: where "
                "is the only place for a change?",
                "those with one label on the left of 0 and one on its right": RIGHT,
                "those with opposite labels on the two sides of 0 only": "The slopes on "
                "the two sides are free. Can $f$ be positive on both?",
            },
        ),
    ],
    "ex-univariate-torn": [
        Formula(
            r"What is the mass of the two neurons after tearing, exactly? Write delta "
            r"for $\delta$.",
            "c/2*(sqrt(1 + (t + delta)^2) + sqrt(1 + (t - delta)^2))",
            {
                "c*sqrt(1 + t^2)": "That is the mass before.",
                "c*(sqrt(1 + (t + delta)^2) + sqrt(1 + (t - delta)^2))": "Each of the "
                "two has half of the jump.",
                "c*sqrt(1 + t^2) + c*delta^2/2*(1 + t^2)^(-3/2)": "That is to leading "
                "order.",
                "c*sqrt(1 + (t + delta)^2)": r"Only one of the two is at $t + \delta$.",
            },
            variables={"c": (0.5, 2), "t": (-2, 2), "delta": (0.3, 1)},
        ),
        Choice(
            "Which property of $\\sqrt{1 + t^2}$ makes tearing cost mass at every "
            "distance, not only a small one?",
            {
                "It is positive.": "So is its root, for which tearing would not always "
                "cost.",
                "It is convex.": RIGHT,
                "It is even.": "So is $-\\sqrt{1 + t^2}$, with which tearing would save "
                "mass.",
                "It grows no faster than $|t|$.": "So do concave functions, with which "
                "tearing would save mass.",
            },
        ),
    ],
}
