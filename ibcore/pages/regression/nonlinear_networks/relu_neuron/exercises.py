"""Questions of the exercises of the page on a ReLU neuron."""

from ibcore.questions import RIGHT, Choice, Formula, Number

EXERCISES = {
    "relu-ex-almost": Number(
        "About how many points of label 0 are needed?",
        "pi^2/0.1",
        {
            "sqrt(pi^2/0.1)": "The ratio misses 2 by a number of the order of $1/N$, not "
            "$1/N^2$.",
            "pi^2/0.05": r"The ratio is $2 - \pi^2/(2N)$: mind the 2 below the line.",
            40: "The largest number of the explorer is not enough.",
        },
        tolerance=0.03,
    ),
    "relu-ex-order": [
        Choice(
            "Where does the flow on $D_2$ end?",
            {
                r"at $(1, \tau, 0)$": RIGHT,
                r"at $(1, \tau, -s_0)$ with some $s_0 > 0$": "So it does where the first "
                "point is the long one, since the third point then acts at first.",
                r"at $(1, \tau, (\tau\kappa - 1)/b)$, on the border of $Z$": "The third "
                "point can only push $w_3$ down, and nothing lifts it.",
            },
        ),
        Choice(
            "Why?",
            {
                r"The third point is off at all times, since $w_1 < \kappa w_2$ "
                "throughout.": RIGHT,
                "The third point acts for a while, and afterwards $w_3$ returns.": "What "
                "could lift $w_3$ again? The first two points have no third entry.",
                "The third point acts, and its force has no part along the third axis.": (
                    "Its third entry is $b$, and this is the force that it has there."
                ),
            },
        ),
    ],
    "relu-ex-steps": [
        Formula(
            r"Up to which step size, in terms of $n$ and $\lambda = \lambda_{\max}(X^\top "
            r"X)$?",
            "n/lambda",
            {
                "2*n/lambda": "That would be for half of this loss. Here the gradient "
                "has a factor of two.",
                "n/(2*lambda)": "Up to there a step does not overshoot. It may, as long "
                "as it comes closer.",
                "1/lambda": "The loss is a mean over $n$ examples.",
                "2/lambda": "The loss is a mean over $n$ examples, without a factor of "
                "one half.",
            },
            variables={"n": (5, 20), "lambda": (0.5, 4)},
        ),
        Number(
            "The bound is needed. Take a single input with a positive label, and a step "
            "of $1.5$ times the bound. By which number does a step of the active neuron "
            r"multiply its error $w \cdot x - y$?",
            -2,
            {
                "-0.5": "The square has a derivative with a factor of two: the error is "
                r"multiplied by $1 - 2\eta\|x\|^2$.",
                4: "That is the factor of the loss.",
                "-1": "That is at the bound itself.",
                3: "So many times the error is subtracted.",
            },
        ),
    ],
}
