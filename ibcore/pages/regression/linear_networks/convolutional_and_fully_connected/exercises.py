"""Questions of the exercises on convolutional and fully connected linear networks."""

from ibcore.questions import RIGHT, Choice, Number, Order

EXERCISES = {
    "convfc-ex-scale": [
        Number(
            "Which scale is needed?",
            "0.01 * 1e-6 / 0.003",
            {
                "0.01 * sqrt(1e-6 / 0.003)": "With which power of the scale does the "
                "distance fall?",
                "0.01 * 1e-6 / 0.3": "That is too small; 0.3 percent is 0.003.",
                "3000": "That is by how much the scale has to fall.",
            },
            tolerance=0.12,
        ),
        Choice(
            r"As the scale $\varepsilon$ of the start falls, the time until the loss has "
            "fallen to a millionth grows like",
            {
                r"$1/\varepsilon$": "So it is with three layers. How does the speed of "
                "two small layers depend on their size?",
                r"$1/\varepsilon^2$": r"The outputs do have to grow by $1/\varepsilon^2$, "
                "but not at a constant speed.",
                r"$\log(1/\varepsilon)$": RIGHT,
                r"$\sqrt{\log(1/\varepsilon)}$": "At which rate do two small layers "
                "grow while the gradient $g$ is constant?",
            },
        ),
    ],
    "convfc-ex-free": [
        Number(
            "What is $c_2$, and what is $c_k$ at the frequencies that start at 0.001?",
            "(450, 5e-7)",
            {
                "(30, 0.001)": "That is the start itself; $c_k$ is of the order of its "
                "square.",
                "(15, 0.0005)": "Under the root of {eq}`eq-convfc-shape` stands a fourth "
                "power of the start.",
                "(202500, 2.5e-13)": "The root is missing.",
            },
        ),
        Choice(
            "Which frequencies will it use?",
            {
                "frequency 2 alone": "Can one frequency fit four labels?",
                "all, and about equally": "That takes a large start at all of them.",
                "all but frequency 2": r"How does the cost $q(r) - q(0)$ of $r$ depend on "
                "$c$?",
                "frequency 2, and few others": RIGHT,
                "few, the same as from 0.001 at all frequencies": "How does the cost "
                "$q(r) - q(0)$ of $r$ depend on $c$?",
            },
        ),
    ],
    "convfc-ex-one": [
        Order(
            r"Put the proof in order. Here $\rho$ and $\nu$ are real numbers that depend on "
            "time.",
            r"""
            - With one example $g$ is a multiple of $x$, so $\hat g_k = \rho\, \hat x_k$ with
              the same $\rho$ for all $k$.
            - So by {eq}`eq-convfc-flow` the velocity of $\hat\beta_k$ always lies on the
              line through $0$ and $\hat x_k$; there $\hat\beta_k$ starts, and there it
              stays.
            - So $\hat\beta_k$ is $r_k$ times the phase of $\hat x_k$, and the real $r_k$
              obeys $\dot r_k = -2 \sqrt{c^2 + r_k^2}\; \rho\, |\hat x_k|$.
            - Divided by the root and integrated from $r_k = 0$, this is
              $\operatorname{arsinh}(r_k/c) = \nu\, |\hat x_k|$ with the same $\nu$ for all
              $k$.
            - So $q'(|\hat\beta_k|)$ in the phase of $\hat\beta_k$ is $\nu\, \hat x_k$: the
              gradient of $\sum_k q(|\hat\beta_k|)$ is a multiple of the example.
            - This is the condition of Lagrange, and as the function is convex, what fits
              and satisfies it is a minimizer.
            """,
        ),
        Choice(
            "Which statement is no longer true for two signals without symmetry?",
            {
                r"$|\hat u_k|^2 - |\hat v_k|^2$ is constant in time.": "This holds for all "
                "inputs: see the proof of {eq}`eq-convfc-flow`.",
                r"$\hat\beta_k$ moves in the direction of $-\hat g_k$.": "Look at "
                "{eq}`eq-convfc-flow` again: which inputs does it need?",
                r"$\hat g_k$ has the same phase at all times, up to its sign.": RIGHT,
                r"$\sum_k q(|\hat\beta_k|)$ is convex.": "The function does not depend on "
                "the inputs.",
            },
        ),
    ],
}
