"""Lesson 6: the worst nudge, and training against it."""

from app.learn.lesson import Choice, Lesson, Picture, Step

LESSON = Lesson(
    key="adversary",
    title="The worst nudge: AMR",
    minutes=7,
    steps=(
        Step(
            "predict",
            "A seller wants one product in many lists and may change its features a little: by a "
            "share of their own length. An **attack** computes the change that lifts it most.\n\n"
            "**AMR trains against such changes. What do you expect of it?**",
            choices=(
                Choice(
                    "The product cannot climb any more",
                    "No training promises that: AMR met other attacks, of a certain strength.",
                ),
                Choice(
                    "It climbs less than with plain training",
                    "Right: that is the hope, and the picture measures it.",
                    is_right=True,
                ),
                Choice(
                    "It climbs more",
                    "That would be a fault; see what the curves say.",
                ),
            ),
            picture=Picture("lifted_item"),
        ),
        Step(
            "act",
            "Raise the strength step by step. The curve says for how many shoppers the product "
            "stands at that rank or better.",
        ),
        Step(
            "see",
            "Compare the thick curves with the thin ones at the dotted line (the first 20), for "
            "both trainings, and the two percentages below.",
            page="robustness",
        ),
        Step(
            "explain",
            "AMR adds to the loss of each batch its loss under the worst nudge of the features. A "
            "model can meet that in two ways: by features that are hard to nudge, or by *ignoring "
            "its features*. Ask for both numbers: what is left under attack, and what is left "
            "without features at all.",
            page="compare",
        ),
        Step(
            "formula",
            "$$\\min_\\theta\\; L(\\theta; x) + \\lambda\\, L(\\theta; x + \\Delta), \\qquad "
            "\\Delta_i = \\epsilon\\, \\frac{g_i}{\\lVert g_i \\rVert}, \\quad "
            "g_i = \\frac{\\partial L}{\\partial x_i}$$\n\n"
            "(arXiv 1809.07062, section 3). $\\Delta$ is held constant in the second term.",
        ),
    ),
)
