"""Questions of the exercises of the page on large steps."""

from ibcore.questions import RIGHT, Choice, Number, Order

EXERCISES = {
    "steps-ex-threshold": Number(
        "By which factor, that is, at which step over $2/S(y^*)$, does the orbit become "
        "unstable?",
        "64/49",
        {
            "8/7": r"That is $y^*/y$. How does $\eta = 2/S(y)$ depend on $y$?",
            "49/64": "That is the step $2/S(y^*)$ over the one where the orbit becomes "
            "unstable.",
            "81/64": r"On the right of the threshold is also $\mu S''$.",
            "9/8": r"That is $y^*/y$, and without $\mu S''$ on the right of the threshold.",
        },
    ),
    "steps-ex-mean": [
        Order(
            "Put the proof in order.",
            r"""
            - A step multiplies $x$ by $1 - \eta S(y)$, so $\log|x_{k+1}| - \log|x_k| =
              \log|1 - \eta S(y_k)|$.
            - These logarithms add up to $\log|x_k| - \log|x_0|$ over $k$ steps, which is
              bounded.
            - Along the valley $y_{k+1} - y_k = -\eta\,(\nabla f + \frac12 x_k^2\,
              \nabla S)$ at $y_k$.
            - These differences add up to $y_k - y_0$ over $k$ steps, which is bounded.
            - Divided by $k$, both sums tend to zero.
            """,
            needs={2: (), 4: (1, 3)},
        ),
        Number(
            r"Let $\eta S(y_k)$ take turns between $\frac32$ and a second value, so that "
            "$|x_k|$ stays between two positive numbers. What is the mean of $\\eta S$ "
            "over many steps?",
            "9/4",
            {
                2: "So it is on the orbit. Here the mean of $\\log|1 - \\eta S|$ is zero.",
                3: "That is the second value.",
                "7/4": "The second value would be 2. Then $|x|$ would halve every two "
                "steps.",
            },
        ),
        Choice(
            "Why is the mean of $y$ not the solution of the program?",
            {
                "The means tend to zero too slowly.": "They are of order $1/k$.",
                "Beyond the threshold the run is not bounded.": "On the closed curve it "
                "is bounded.",
                "The mean of a function of $x$ and $y$ is not the function of their "
                "means.": RIGHT,
                "The program has several solutions.": "Here $f$ is strictly "
                "convex and $S$ convex: it has one.",
            },
        ),
    ],
    "steps-ex-idle": [
        Choice(
            "Where does the computed run end without noise?",
            {
                "at $y = 0$": RIGHT,
                r"at $y = 2 - \sqrt3$": "To be held there, the run needs an $x_2$ that "
                "jumps. How large is $x_2$ when $y$ comes there?",
                r"at $y = \frac23$": "There the trace is least, which single examples "
                "lower. Here all examples are in each step.",
                "at $y = 1$": "There $h_2$ is least. The jump is along $x_1$ at the "
                "start.",
            },
        ),
        Choice(
            "And about where with noise of size $10^{-12}$ in every step?",
            {
                "at $y = 0$": "Follow $x_2$ once $h_2$ is the larger one.",
                r"at $y = 2 - \sqrt3$": RIGHT,
                r"at $y = \frac23$": "There $h_1$ is still the larger one, and pushes on.",
                "at $y = 1$": "There $h_2$ is least. Which of the two is the larger "
                "there?",
            },
        ),
        Number(
            "How large is the largest eigenvalue of the Hessian on the line $x = 0$ at "
            "the end of the run without noise?",
            3,
            {
                2: "That is $h_1$. Is it the larger one there?",
                "2 + (2 - sqrt(3))^2": "That is at the crossing.",
                "22/9": r"That is at $y = \frac23$.",
            },
            tolerance=0.02,
        ),
    ],
    "steps-ex-budget": [
        Number(
            r"About how many steps does it take with $\eta = 10$ and with $\eta = 100$, if "
            "the left-hand side of {eq}`eq-steps-rate` is about 1 and $s = 0$? Give two "
            "numbers.",
            "1/(0.18^2*10*0.0001), 1/(0.18^2*100*0.0001)",
            {
                "1/(0.18*10*0.0001), 1/(0.18*100*0.0001)": r"The rate has $\gamma^2$.",
                "1/(0.18^2*10*0.0001), 1/(0.18^2*10*0.0001)": "A longer step takes fewer "
                "steps.",
                "10/(0.18^2*0.0001), 100/(0.18^2*0.0001)": r"Where does $\eta$ stand in "
                "the rate?",
            },
            tolerance=0.05,
        ),
        Choice(
            r"A run with $\eta = 100$ needs far fewer steps than that. Does it contradict "
            "{eq}`eq-steps-rate`?",
            {
                "Yes: the loss must fall like one over the number of steps.": "Which way "
                "does the inequality point?",
                "No: the rate says only how large the loss can be at most.": RIGHT,
                r"No: the rate does not hold for steps as long as $\eta = 100$.": "It "
                "holds for any constant step, from a time $s$ on.",
            },
        ),
    ],
}
