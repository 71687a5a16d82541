"""Lesson 7: the minima of our own trained runs."""

from app.learn.lesson import Choice, Lesson, Picture, Step

LESSON = Lesson(
    key="own-minima",
    title="Our own minima",
    minutes=6,
    steps=(
        Step(
            "predict",
            "Four trainings of one recommender: plain, Mirror Gradient, AMR, and both. From each "
            "we walk away along **its own sharpest direction** and read the training loss.\n\n"
            "**Whose loss rises fastest?**",
            choices=(
                Choice(
                    "Plain training's",
                    "See the picture: in most demonstrations it is. It has no term that would "
                    "keep it from sharp places.",
                    is_right=True,
                ),
                Choice(
                    "Mirror Gradient's",
                    "It is meant to rest in flat places; under Adam its pull is weak.",
                ),
                Choice(
                    "AMR's",
                    "Its loss includes nudged features, which smooths it along directions that "
                    "features reach.",
                ),
            ),
            picture=Picture("own_minima"),
        ),
        Step(
            "act",
            "Read the thick curves from the middle outward. Click names in the legend to hide and "
            "show runs; point at a curve for its numbers.",
        ),
        Step(
            "see",
            "The height at the edge, and how far one can walk before the loss has doubled. Thin "
            "dotted parabolas: what the curvature alone predicts. Real curves rise faster.",
        ),
        Step(
            "explain",
            "Contours of an absolute loss mislead: a deeper minimum looks sharper. A random "
            "direction misleads too: nearly all directions of two hundred thousand are flat (the "
            "bands lie on zero). So compare *rises*, along each run's *own* sharpest direction, "
            "over distances that no rewriting of the factors changes.",
            page="landscape",
        ),
        Step(
            "formula",
            "The axis is $\\lVert d \\rVert_G$, the length of the change of the *centred scores* "
            "that a step $d$ of the factors makes, after dividing scores by their fitted "
            "temperature. Along the sharpest direction $v$ of $G^{-1/2} H G^{-1/2}$,\n\n"
            "$$L(t v) - L(0) \\approx s\\,t + \\tfrac12 \\lambda t^2.$$",
            page="curvature",
        ),
    ),
)
