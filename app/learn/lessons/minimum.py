"""Lesson 1: what a minimum is, and what makes one sharp."""

from app.learn.lesson import Choice, Lesson, Play, Step

LESSON = Lesson(
    key="minimum",
    title="What a minimum is",
    minutes=5,
    steps=(
        Step(
            "predict",
            "The curve is the loss of a model with **one weight**. Training moves the weight "
            "downhill. There are two minima of the same depth, a narrow one on the left and a "
            "wide one on the right.\n\n**Where will gradient descent end?**",
            choices=(
                Choice(
                    "In the wide one, it is better",
                    "Gradient descent feels only the slope where it stands; it does not know "
                    "that another minimum is wider.",
                ),
                Choice(
                    "In whichever one the start leads down to",
                    "Right: the start decides, for plain gradient descent with a small rate.",
                    is_right=True,
                ),
                Choice(
                    "In the narrow one, it is steeper",
                    "Steeper walls help only those who already stand on them.",
                ),
            ),
            picture=Play(
                {
                    "landscape": "one-weight",
                    "steppers": ["plain"],
                    "start": [-1.0, 0.0],
                    "rate": 0.05,
                },
                ("rate",),
            ),
        ),
        Step(
            "act",
            "Press **Play**. Then **drag the ring** (or use the arrow keys) to the right of the "
            "hill between the two minima, and play again.",
        ),
        Step(
            "see",
            "Read the table after each run. The **loss** ends near 0.2 in both minima and the "
            "**gradient norm** near 0: both are minima. The **top eigenvalue** differs: about 12.8 "
            "in the narrow one, 0.8 in the wide one.",
        ),
        Step(
            "explain",
            "A minimum is a place from which every small step leads up. How fast it leads up is "
            "the *curvature*: the second derivative for one weight, the eigenvalues of the Hessian "
            "matrix for many. Large curvature: a **sharp** minimum. Small: a **flat** one. The "
            "loss alone does not tell which one you are in.",
            page="curvature",
        ),
        Step(
            "formula",
            "Near a minimum $w^*$, along an eigenvector of eigenvalue $\\lambda$,\n\n"
            "$$L(w^* + \\delta) \\approx L(w^*) + \\tfrac12 \\lambda\\, \\delta^2.$$\n\n"
            "A bowl of depth $d$ and width $\\sigma$ has $\\lambda = d / \\sigma^2$: here "
            "$0.8 / 0.25^2 = 12.8$ and $0.8 / 1^2 = 0.8$.",
        ),
    ),
)
