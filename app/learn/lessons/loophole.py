"""Lesson 4: the loophole in every raw measure of flatness."""

from app.learn.lesson import Choice, Lesson, Play, Step

LESSON = Lesson(
    key="loophole",
    title="The loophole: flat on paper",
    minutes=6,
    steps=(
        Step(
            "predict",
            "The valley is the smallest recommender there is: one user with weight $u$, one item "
            "with weight $v$, score $uv$. Its floor is $uv = 1$. The point (2.5, 0.4) has top "
            "eigenvalue 6.4, the point (1, 1) has 2.\n\n**Which of the two recommends better?**",
            choices=(
                Choice(
                    "The flatter one, (1, 1)",
                    "Its score is 1. So is the other's: no user could tell them apart.",
                ),
                Choice(
                    "Neither: both give the score 1",
                    "Right. Curvature changed by a factor of three and no recommendation did.",
                    is_right=True,
                ),
                Choice("The sharper one", "Both give the same score, so the same list."),
            ),
            picture=Play(
                {
                    "landscape": "valley",
                    "steppers": ["plain"],
                    "start": [2.5, 0.4],
                    "rate": 0.05,
                },
                (),
            ),
        ),
        Step(
            "act",
            "**Drag the start** along the dark floor of the valley, from right to top, pressing "
            "**One step** here and there. Watch loss and top eigenvalue.",
        ),
        Step(
            "see",
            "The loss stays at 0; the top eigenvalue is smallest, 2, where $u = v$, and grows "
            "without limit toward both ends.",
        ),
        Step(
            "explain",
            "Users and items of a real model have the same freedom many times over. Five changes "
            "leave every user's order as it is: **scale** the users and divide the items, "
            "**rotate** both, **mix** both, multiply all scores (**temperature**), or **shift** "
            "all items by one vector. A measure that any of them moves says nothing about two "
            "runs. The Curvature page measures which ones do.",
            page="curvature",
        ),
        Step(
            "formula",
            "For $L = \\tfrac12 (uv - 1)^2$ on the floor the Hessian is "
            "$\\begin{pmatrix} v^2 & uv \\\\ uv & u^2 \\end{pmatrix}$ with eigenvalues $0$ and "
            "$u^2 + v^2$. Measured in changes of the *score*, $ds = v\\,du + u\\,dv$, the "
            "curvature is $d^2L/ds^2 = 1$ at every point of the floor: that is what to compare.",
        ),
    ),
)
