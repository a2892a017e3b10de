"""Questions of the exercises of the page on label noise."""

from ibcore.questions import RIGHT, Choice, Number, Order

EXERCISES = {
    "noise-ex-time": Number(
        "How many steps are needed? Give two numbers: at strength 1 with the same "
        "batches, and at strength 2 with batches that are four times as large.",
        "4000, 4000",
        {
            "2000, 4000": r"The rate is proportional to $\sigma^2$.",
            "4000, 2000": "The rate is proportional to $1/B$, not to its root.",
            "4000, 250": "Larger batches average the noise: the rate is proportional to "
            "$1/B$.",
            "4000, 16000": "The rate is proportional to $1/B$, not to $1/B^2$.",
            "4000, 1000": "The size of the batches does count: the rate has a $B$ in it.",
            "250, 4000": "Weaker noise needs more steps, not fewer.",
        },
    ),
    "noise-ex-units": [
        Number(
            r"By which factor does the price $c_j |\beta_j|$ change?",
            3,
            {
                9: r"So does $c_j$, but the coefficient is smaller now.",
                "1/3": r"So does $|\beta_j|$, and with it the price in the $\ell_1$ norm. "
                "But $c_j$ changes too.",
                1: r"$c_j$ is the mean of a square.",
            },
        ),
        Choice(
            "Is the sparse truth still the solution of the program?",
            {
                "yes, for this factor and every other one": "As the factor grows, the "
                "column costs more and more. Can the labels be fitted without it?",
                "yes for the factor 3, no if the factor is large enough": RIGHT,
                "no, already for the factor 3 it is not": "The oracle of the page says: "
                "compare the supports before and after.",
            },
        ),
    ],
    "noise-ex-product": [
        Order(
            "Put the proof in order.",
            r"""
            - By the chain rule the batch loss has the derivative $2 u_j g_j$ in $u_j$
              and $-2 v_j g_j$ in $v_j$.
            - So a step is $u_j \leftarrow (1 - 2\eta g_j)\, u_j$ and $v_j \leftarrow
              (1 + 2\eta g_j)\, v_j$.
            - The product $u_j v_j$ is multiplied by $1 - 4\eta^2 g_j^2$.
            - For $2\eta^2 g_j^2 \le 1$ this number lies between $-1$ and $1$.
            - So $|u_j v_j|$ does not grow.
            """,
        ),
        Choice(
            "Why does it not matter which examples are in the batch?",
            {
                "Only the number $g_j$ depends on them, and its sign and size do not "
                "enter the argument beyond the bound on the step.": RIGHT,
                "In the mean over all batches $g_j$ is the derivative of the loss.": (
                    "The product does not grow in any single step, with no mean taken."
                ),
                "At zero loss $g_j = 0$ for every batch.": "With noise in the labels it "
                "is not.",
            },
        ),
    ],
}
