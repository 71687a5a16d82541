"""Any two choices of a config go together."""

import itertools

import numpy as np
import pytest
import torch

from engine.models import MODELS, MultimodalConfig
from engine.training import TrainConfig, fit

WARM = {"warm_start_epochs": 1}
CHOICES = {
    "stepper": [
        {"name": "plain"},
        {"name": "mirror-gradient", "beta": 2},
        {"name": "mirror-gradient", "beta": 2, "counter": "global", "clip": "second"},
        {"name": "mirror-gradient", "beta": 2, "around": {"name": "sam"}},
        {"name": "sam"},
        {"name": "asam"},
        {"name": "gradient-norm"},
    ],
    "adversary": [
        None,
        {"name": "amr"} | WARM,
        {"name": "amr", "direction": "random", "unit": "absolute"} | WARM,
        {"name": "pgd", "steps": 2} | WARM,
        {"name": "pgd", "steps": 2, "norm": "linf"} | WARM,
        {"name": "apr"} | WARM,
        {"name": "pamacf"} | WARM,
    ],
    "model": [
        {"name": "vbpr", "width": 6, "form": "sum", "modalities": ["text"]},
        *({"name": config().name, "width": 6} for config in MODELS),
    ],
    "optimiser": [
        {"name": "adam"},
        {"name": "adamw"},
        {"name": "sgd", "learning_rate": 0.001, "momentum": 0.5},
        {"name": "adagrad"},
        {"name": "rmsprop"},
    ],
    "averaging": [None, {"name": "ema"}, {"name": "swa", "start_epoch": 2}],
    "regulariser": [{"name": "norm"}, {"name": "squared", "projection": 0.01}],
    "reduction": ["mean", "sum"],
    "clip_norm": [None, 0.1],
    "decay": ["none", "linear"],
    "negative_pool": [None, 20],
    "match_gradient_passes": [None, 29],
    "noise": [{}, {"kind": {"name": "gaussian"}}],
}


WITHOUT_FEATURES = [c().name for c in MODELS if not issubclass(c, MultimodalConfig)]


def allowed(row):
    """A model without features has none to perturb."""
    adversary = row.get("adversary")
    name, model = adversary and adversary["name"], row.get("model", {}).get("name")
    if name == "pamacf" and model in ("bm3", "selfcf", "slmrec", "da-mrs", "mvgae"):
        return False  # they minimise no ranking loss
    is_of_features = name not in (None, "apr", "pamacf")
    is_of_features = is_of_features or bool(row.get("noise"))
    reads_none = row.get("model", {}).get("name") in WITHOUT_FEATURES
    return not (is_of_features and reads_none)


def rows_with_every_pair():
    """Few configs, in which any two values of two choices meet: each the best of random ones."""
    random = np.random.default_rng(0)
    values = {k: range(len(v)) for k, v in CHOICES.items()}
    open_pairs = {
        ((a, i), (b, j))
        for a, b in itertools.combinations(CHOICES, 2)
        for i, j in itertools.product(values[a], values[b])
        if allowed({a: CHOICES[a][i], b: CHOICES[b][j]})
    }
    rows = []
    while open_pairs:
        wanted = dict(min(open_pairs))
        tried = []
        for _ in range(60):
            places = {k: int(random.integers(len(v))) for k, v in CHOICES.items()} | wanted
            row = {k: CHOICES[k][i] for k, i in places.items()}
            if allowed(row):
                covered = open_pairs & set(itertools.combinations(places.items(), 2))
                tried.append((len(covered), len(tried), row, covered))
        _, _, row, covered = max(tried, key=lambda one: one[:2])
        rows.append(row)
        open_pairs -= covered
    return rows


def config_of(row):
    return TrainConfig.parse(
        {
            "model": row["model"],
            "stepper": row["stepper"],
            "optimiser": row["optimiser"],
            "averaging": row["averaging"],
            "objective": {k: row[k] for k in ("adversary", "regulariser", "reduction")},
            "schedule": {"decay": row["decay"]},
            "epochs": 2,
            "batch_size": 256,
            "precision": "float64",
            "device": "cpu",
            **{k: row[k] for k in ("clip_norm", "negative_pool", "match_gradient_passes", "noise")},
        }
    )


def step_costs(config, n_steps):
    """Gradient passes of each step: the stepper's gradients times the objective's.

    One epoch of warm start where there is an adversary, then epochs without end; both phases start
    with a fresh stepper.
    """
    adversary, stepper = config.objective.adversary, config.stepper
    costs = {
        "apr": 2,
        "pamacf": 1,
        "amr": 2 if getattr(adversary, "direction", "") == "gradient" else 1,
    }
    full = costs.get(adversary.name, 1 + getattr(adversary, "steps", 0)) if adversary else 1
    warm = [(1, t) for t in range(n_steps if adversary else 0)]
    for passes, t in itertools.chain(warm, ((full, t) for t in itertools.count())):
        if stepper.name == "mirror-gradient":
            index = t % n_steps if stepper.counter == "epoch" else t + 1
            yield passes * (2 if index % stepper.beta == 0 else 1) * (2 if stepper.around else 1)
        else:
            yield passes * (1 if stepper.name == "plain" else 2)


def passes_of(config, n_steps):
    """The gradient passes of a run of two epochs, or as many as fit into what was asked for."""
    costs = itertools.accumulate(step_costs(config, n_steps))
    budget = config.match_gradient_passes
    if budget is None:
        n_epochs = 3 if config.objective.adversary else 2
        return list(itertools.islice(costs, n_epochs * n_steps))[-1]
    return max(itertools.takewhile(lambda used: used <= budget, costs))


ROWS = rows_with_every_pair()


@pytest.mark.parametrize("row", ROWS, ids=[str(i) for i in range(len(ROWS))])
def test_any_two_choices_train_together(tiny, row):
    config = config_of(row)
    result = fit(tiny, config.changed({"seed": 3}))
    assert result.state == "finished"
    assert result.gradient_passes == passes_of(config, -(-len(tiny.train) // 256))
    assert all(torch.isfinite(p).all() for p in result.model.parameters())
