"""The playground's steps are the engine's: its JavaScript, run by a browser, against torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from app.learn.playground.component import FOLDER
from app.learn.playground.playground_settings import STARTS, PlaygroundSettings
from engine.training.stepping.mirror_gradient import MirrorGradient
from engine.training.stepping.optimisers import GuardedOptimiser
from engine.training.stepping.sharpness_aware import NeighbourGradient
from engine.training.stepping.steppers import Plain
from tests.support.browsing import ARGUMENTS, CHROMIUM

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api")

STEPS = 50
PULL = 0.01
BOWLS = {
    "one-weight": [(-1.5, 0.0, 0.25, 0.8), (1.5, 0.0, 1.0, 0.8)],
    "two-weights": [(-1.5, -0.6, 0.3, 0.8), (1.3, 0.6, 1.0, 0.8)],
    "drawn": [(-1.4, 0.2, 0.3, 0.8), (1.2, 0.2, 0.9, 0.8)],
}
"""x, y, width and depth of each bowl."""


@pytest.fixture(scope="module")
def page():
    if not Path(CHROMIUM).exists():
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.add_script_tag(content=(FOLDER / "dynamics.js").read_text())
        yield page
        browser.close()


def loss(name: str, w: torch.Tensor) -> torch.Tensor:
    """The landscapes again, for autograd."""
    score = w[0] * w[1]
    if name == "valley":
        return (score - 1) ** 2 / 2
    if name == "logistic":
        softplus = torch.nn.functional.softplus
        return 0.9 * softplus(-score) + 0.1 * softplus(score)
    one = name == "one-weight"
    total = 1 + PULL / 2 * (w[0] ** 2 if one else w @ w)
    for x, y, width, depth in BOWLS[name]:
        far = (w[0] - x) ** 2 + (0 if one else (w[1] - y) ** 2)
        total = total - depth * torch.exp(-far / (2 * width**2))
    return total


def engine_steps(name, kind, settings, noise) -> list[list[float]]:
    """The weights after each step of the engine's own stepper."""
    weights = torch.nn.Parameter(torch.tensor(settings["start"], dtype=torch.float64))
    make = torch.optim.SGD if settings["optimiser"] == "sgd" else torch.optim.Adam
    optimiser = GuardedOptimiser(make([weights], lr=settings["rate"]), None)
    stepper = {
        "plain": lambda: Plain(optimiser),
        "mirror": lambda: MirrorGradient(
            optimiser, settings["alpha1"], settings["alpha2"], settings["beta"]
        ),
        "sam": lambda: NeighbourGradient(optimiser, settings["rho"]),
        "gradient-norm": lambda: NeighbourGradient(optimiser, 0.1, share=settings["weight"] / 0.1),
    }[kind]()
    stepper.start_epoch()
    seen = np.array([1.0, 0.0]) if name == "one-weight" else np.ones(2)
    rows = []
    for draw in noise:
        push = torch.tensor(np.array(draw) * seen)

        def closure(push=push):
            optimiser.optimiser.zero_grad()
            value = loss(name, weights) + push @ weights
            value.backward()
            return value

        stepper.step(closure)
        rows.append(weights.detach().tolist())
    return rows


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("noisy", [0.0, 0.3])
@pytest.mark.parametrize("name", STARTS)
def test_fifty_steps_of_each_stepper_are_those_of_the_engine(page, name, optimiser, noisy) -> None:
    settings = PlaygroundSettings(
        landscape=name, optimiser=optimiser, start=STARTS[name], rate=0.05, beta=3, noise=noisy
    ).model_dump(mode="json")
    names = ("x", "y", "width", "depth")
    bowls = [dict(zip(names, bowl, strict=True)) for bowl in BOWLS.get(name, [])]
    noise = (noisy * np.random.default_rng(0).standard_normal((STEPS, 2))).tolist()
    for kind in ("plain", "mirror", "sam", "gradient-norm"):
        rows = page.evaluate(
            """([name, kind, settings, bowls, noise]) => {
                const usual = BOWLS[name];
                if (usual && JSON.stringify(usual) !== JSON.stringify(bowls)) throw Error("bowls");
                const stepper = stepperOf(kind, landscapeOf(name, bowls), settings, settings.start);
                return noise.map((draw) => { stepper.step(draw); return [...stepper.w]; });
            }""",
            [name, kind, settings, bowls, noise],
        )
        np.testing.assert_allclose(
            rows, engine_steps(name, kind, settings, noise), rtol=0, atol=1e-9, err_msg=kind
        )


@pytest.mark.parametrize("name", STARTS)
def test_gradients_and_eigenvalues_are_those_of_autograd(page, name) -> None:
    points = np.random.default_rng(1).uniform(-2, 2, (20, 2))
    if name == "one-weight":
        points[:, 1] = 0
    bowls = [
        dict(zip(("x", "y", "width", "depth"), bowl, strict=True)) for bowl in BOWLS.get(name, [])
    ]
    values = page.evaluate(
        """([name, bowls, points]) => {
            const l = landscapeOf(name, bowls);
            return points.map((w) => [l.loss(w), ...l.gradient(w), topEigenvalue(l.hessian(w))]);
        }""",
        [name, bowls, points.tolist()],
    )
    for point, row in zip(points, values, strict=True):
        w = torch.tensor(point, requires_grad=True)
        gradient = torch.autograd.grad(loss(name, w), w)[0]
        hessian = torch.autograd.functional.hessian(lambda w: loss(name, w), w.detach())
        top = float(torch.linalg.eigvalsh(hessian)[-1])
        np.testing.assert_allclose(row, [loss(name, w).item(), *gradient, top], atol=1e-12)


def test_under_sgd_the_mirror_half_step_goes_uphill_and_under_adam_it_does_not(page) -> None:
    """Cosine 1 under SGD; under Adam momentum carries on downhill (science: method page)."""
    cosines = {}
    for optimiser in ("sgd", "adam"):
        settings = PlaygroundSettings(
            landscape="two-weights", optimiser=optimiser, rate=0.05, alpha2=0.2, beta=3
        ).model_dump(mode="json")
        cosines[optimiser] = page.evaluate(
            """(settings) => {
                const l = landscapeOf("two-weights", BOWLS["two-weights"]);
                const stepper = stepperOf("mirror", l, settings, settings.start);
                const draws = normalDraws(0), all = [];
                for (let i = 0; i < 60; i++) {
                    stepper.step(draws().map((z) => 0.3 * z));
                    all.push(stepper.cosine);
                }
                return all.reduce((a, b) => a + b) / all.length;
            }""",
            settings,
        )
    assert cosines["sgd"] > 1 - 1e-9
    assert cosines["adam"] < 0.2
