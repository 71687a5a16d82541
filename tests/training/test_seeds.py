"""Several seeds at once give what each gives alone."""

import pytest
import torch

from engine.data import Dataset, Interactions, synthetic
from engine.data.features import load_features
from engine.evaluation import evaluate
from engine.foundation.errors import BasinError, Cancelled, ConfigError
from engine.models import VBPRConfig, build_model
from engine.objectives import Objective, Triples
from engine.training import MemoryRecorder, fit, preset
from engine.training.seeds import fit_seeds, why_apart
from engine.training.stacked import stacked_model
from engine.training.stacked_loss import StackedBatch, StackedObjective, virtual_ids
from engine.training.stacked_metrics import metrics_of_seeds

SEEDS = (0, 4, 2)
QUICK = {
    "epochs": 8,
    "batch_size": 128,
    "device": "cpu",
    "patience": 3,
    "precision": "float64",
}
WARM = {"objective.adversary.warm_start_epochs": 2}
NARROW = {"model.width": 8}

CASES = {
    "plain": ("plain", NARROW),
    "the sum form": ("plain", {"model.form": "sum", **NARROW}),
    "bpr-mf": ("plain", {"model": "bpr-mf"}),
    "lightgcn": ("plain", {"model": "lightgcn"}),
    "squared penalty": (
        "plain",
        {"objective.regulariser": "squared", "objective.regulariser.projection": 0.01, **NARROW},
    ),
    "mg": ("mg", NARROW),
    "mg-sgd": ("mg-sgd", {"optimiser.learning_rate": 0.5, **NARROW}),
    "momentum": ("plain", {"optimiser": "sgd", "optimiser.momentum": 0.9, **NARROW}),
    "amr": ("amr", WARM | NARROW),
    "mg+amr": ("mg+amr", WARM | NARROW),
    "amr-published": ("amr-published", WARM | NARROW),
    "pgd": ("pgd", WARM | NARROW),
    "apr": ("apr", WARM | NARROW),
    "apr on lightgcn": ("apr", WARM | {"model": "lightgcn"}),
    "sam": ("sam", NARROW),
    "asam": ("asam", NARROW),
    "gradient-norm": ("gradient-norm", NARROW),
    "ema": ("ema", NARROW),
    "swa": ("swa", {"averaging.start_epoch": 3, **NARROW}),
    "clipped": ("mg", {"clip_norm": 0.05, **NARROW}),
    "compute-matched": ("sam", {"match_gradient_passes": 41, **NARROW}),
    "scheduled": ("plain", {"schedule.decay": "cosine", "schedule.warmup_epochs": 1.5, **NARROW}),
    "shared negatives": ("plain", {"negative_pool": 20, "validate_every": 2, **NARROW}),
}


def apart(dataset, config, seeds=SEEDS):
    """Fits and recorders of each seed trained alone."""
    recorders = [MemoryRecorder() for _ in seeds]
    fits = [
        fit(dataset, config.changed({"seed": s}), r) for s, r in zip(seeds, recorders, strict=True)
    ]
    return fits, recorders


def assert_same_weights(one, two, tolerance=1e-9):
    for (name, a), b in zip(one.named_parameters(), two.parameters(), strict=True):
        # The bias cancels in every margin: where no penalty acts on it, its gradient is rounding
        # alone, which Adam scales up to whole steps. No ranking depends on it.
        if name != "bias":
            assert float((a - b).abs().max() / a.abs().max()) < tolerance, name


def assert_same_events(one, two):
    assert len(one.events) == len(two.events)
    for a, b in zip(one.events, two.events, strict=True):
        assert list(a) == list(b)
        for key in a.keys() - {"seconds"}:
            is_number = isinstance(b[key], float | dict)
            assert a[key] == (pytest.approx(b[key], rel=1e-7, abs=1e-9) if is_number else b[key])


@pytest.mark.parametrize("case", CASES)
def test_at_once_equals_apart(tiny, case):
    name, changes = CASES[case]
    config = preset(name, QUICK | changes)
    assert why_apart(tiny, config) is None
    fits, recorders = apart(tiny, config)
    together = [MemoryRecorder() for _ in SEEDS]
    for one, two in zip(fits, fit_seeds(tiny, config, SEEDS, together), strict=True):
        assert one.config == two.config
        assert (one.state, one.best_epoch) == (two.state, two.best_epoch)
        assert one.gradient_passes == two.gradient_passes
        assert one.test == pytest.approx(two.test, abs=1e-12)
        assert_same_weights(one.model, two.model)
    for one, two in zip(recorders, together, strict=True):
        assert_same_events(one, two)
        for key, value in one.weights.items():
            if key != "bias":
                torch.testing.assert_close(value, two.weights[key], rtol=1e-8, atol=1e-9)


def test_seeds_stop_at_different_epochs_each_by_its_own_patience(tiny):
    config = preset("plain", QUICK | NARROW | {"epochs": 60})
    recorders = [MemoryRecorder() for _ in SEEDS]
    fits = fit_seeds(tiny, config, SEEDS, recorders)
    lasts = [max(e["epoch"] for e in r.events if e["kind"] == "epoch") for r in recorders]
    assert lasts == [f.best_epoch + 3 for f in fits]
    assert len(set(lasts)) > 1


def test_in_float32_the_metrics_agree(tiny):
    config = preset("mg", QUICK | NARROW | {"precision": "float32", "epochs": 4})
    fits, _ = apart(tiny, config)
    for one, two in zip(fits, fit_seeds(tiny, config, SEEDS), strict=True):
        assert one.test == pytest.approx(two.test, abs=2e-3)
        assert_same_weights(one.model, two.model, tolerance=1e-3)


def test_a_seed_that_diverges_leaves_the_others_alone(tiny, monkeypatch):
    """Seed 4's weights turn bad before its third epoch, alone as well as in the stack."""
    from engine.training.trainer import Trainer

    draw = Trainer.epoch_triples

    def poisoned(trainer, epoch):
        if trainer.config.seed == 4 and epoch == 3:
            with torch.no_grad():
                trainer.model.users[:] = torch.nan
        return draw(trainer, epoch)

    monkeypatch.setattr(Trainer, "epoch_triples", poisoned)
    config = preset("plain", QUICK | {"model": "bpr-mf"})
    fits, recorders = apart(tiny, config)
    together = [MemoryRecorder() for _ in SEEDS]
    found = fit_seeds(tiny, config, SEEDS, together)
    states = ["finished", "diverged", "finished"]
    assert [f.state for f in found] == [f.state for f in fits] == states
    for one, two in zip(fits, found, strict=True):
        assert one.best_epoch == two.best_epoch
        assert_same_weights(one.model, two.model)
    for one, two in zip(recorders, together, strict=True):
        assert_same_events(one, two)


@pytest.mark.parametrize("name", ["plain", "mg", "sam"])
def test_where_every_seed_diverges_each_says_so(tiny, name):
    changes = {"optimiser": "sgd", "optimiser.learning_rate": 1e25, "precision": "float32"}
    config = preset(name, QUICK | NARROW | changes)
    recorders = [MemoryRecorder() for _ in SEEDS]
    alone, others = apart(tiny, config)
    fits = fit_seeds(tiny, config, SEEDS, recorders)
    assert [f.state for f in fits] == [f.state for f in alone] == ["diverged"] * 3
    assert [f.best_epoch for f in fits] == [f.best_epoch for f in alone]
    for one, two in zip(others, recorders, strict=True):
        assert [e["kind"] for e in one.events] == [e["kind"] for e in two.events]


def test_a_seed_without_finite_weights_is_told_after_the_others_are_done(tiny, monkeypatch):
    from engine.training.trainer import Trainer

    put = Trainer.put_best_in_place

    def failing(trainer):
        if trainer.config.seed == 4:
            raise BasinError("no finite weights were ever reached")
        put(trainer)

    monkeypatch.setattr(Trainer, "put_best_in_place", failing)
    recorders = [MemoryRecorder() for _ in SEEDS]
    with pytest.raises(BasinError, match="no finite weights"):
        fit_seeds(tiny, preset("plain", QUICK | NARROW), SEEDS, recorders)
    assert [r.events[-1]["kind"] for r in recorders] == ["finished", "epoch", "finished"]


@pytest.mark.parametrize("name", ["mg", "amr-published", "ema"])
def test_a_checkpoint_of_the_stack_resumes_alone_and_together(tiny, name):
    changes = QUICK | NARROW | {"checkpoint_every": 2, "epochs": 7, "patience": 50}
    if name == "mg":
        changes["stepper.counter"] = "global"
    config = preset(name, changes | (WARM if name == "amr-published" else {}))
    fits, _ = apart(tiny, config)

    def cancel_in_epoch_6(share, message):
        if message.startswith("epoch 6"):
            raise Cancelled("enough")

    recorders = [MemoryRecorder() for _ in SEEDS]
    with pytest.raises(Cancelled):
        fit_seeds(tiny, config, SEEDS, recorders, cancel_in_epoch_6)
    for recorder in recorders:
        assert recorder.events[-1]["kind"] == "cancelled"
        assert recorder.checkpoint.values["position"]["epoch"] == 4
        assert recorder.weights
    alone = MemoryRecorder(checkpoint=recorders[1].checkpoint)
    resumed = fit(tiny, config.changed({"seed": SEEDS[1]}), alone)
    assert_same_weights(fits[1].model, resumed.model)
    for one, two in zip(fits, fit_seeds(tiny, config, SEEDS, recorders), strict=True):
        assert one.best_epoch == two.best_epoch
        assert_same_weights(one.model, two.model)


def test_seeds_that_stand_at_different_epochs_still_end_right(tiny):
    config = preset("mg", QUICK | NARROW | {"checkpoint_every": 2, "epochs": 5, "patience": 50})
    fits, recorders = apart(tiny, config)
    started = MemoryRecorder(checkpoint=recorders[0].checkpoint)
    found = fit_seeds(tiny, config, SEEDS, [started, MemoryRecorder(), MemoryRecorder()])
    for one, two in zip(fits, found, strict=True):
        assert_same_weights(one.model, two.model)


def test_weights_belong_to_each_model_once_training_is_over(tiny):
    one, two = fit_seeds(tiny, preset("plain", QUICK | NARROW | {"epochs": 2}), (0, 1))
    for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True):
        assert a.untyped_storage().data_ptr() != b.untyped_storage().data_ptr()
        assert a.untyped_storage().nbytes() == a.numel() * a.element_size()


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("noise", WARM, "random perturbations"),
        ("pgd", WARM | {"objective.adversary.norm": "linf"}, "L-infinity"),
        ("plain", {"max_seconds": 1e6}, "max_seconds"),
        ("plain", {"batch_size": 16}, "40 items"),
    ],
)
def test_what_has_no_stacked_form_trains_one_after_the_other(tiny, name, changes, reason):
    config = preset(name, QUICK | NARROW | {"epochs": 3} | changes)
    assert reason in why_apart(tiny, config)
    fits, _ = apart(tiny, config)
    for one, two in zip(fits, fit_seeds(tiny, config, SEEDS), strict=True):
        assert all(
            torch.equal(a, b)
            for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True)
        )


def test_no_seeds_and_wrong_recorders(tiny):
    config = preset("plain", QUICK | NARROW)
    assert fit_seeds(tiny, config, ()) == []
    with pytest.raises(ConfigError, match="1 recorders"):
        fit_seeds(tiny, config, (0, 1), [MemoryRecorder()])


@pytest.fixture
def stack(tiny):
    """Three models, their stack, features, triples of each and the objective's config."""
    config = preset("amr", {"model.width": 4}).objective
    models = [build_model(VBPRConfig(width=4), tiny, seed).double() for seed in range(3)]
    features = load_features(
        tiny, models[0].modalities, preset("plain").features, torch.device("cpu"), torch.float64
    )
    draw = torch.Generator().manual_seed(0)
    triples = [
        Triples(
            torch.randint(60, (50,), generator=draw),
            torch.randint(40, (50,), generator=draw),
            torch.randint(40, (50,), generator=draw),
        )
        for _ in models
    ]
    return tiny, config, models, features, triples


def test_gathered_margins_and_sampled_products_give_equal_gradients(stack):
    """Where no sampled product is at hand (on a GPU) rows are gathered; both are the same."""
    import dataclasses

    tiny, config, models, features, triples = stack
    ids = virtual_ids(triples, tiny.n_users, tiny.n_items)
    gradients = []
    for keeps_pattern in (True, False):
        model = stacked_model(models, tiny)
        batch = StackedBatch.of(ids, tiny.n_users, tiny.n_items, features, model.users)
        if not keeps_pattern:
            batch = dataclasses.replace(batch, pattern=None)
        objective = StackedObjective(Objective(config, models[0], features))
        objective(model, batch, torch.Generator()).sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-14)


def test_one_stacked_loss_is_each_seeds_loss(stack):
    tiny, config, models, features, triples = stack
    ids = virtual_ids(triples, tiny.n_users, tiny.n_items)
    model = stacked_model(models, tiny)
    batch = StackedBatch.of(ids, tiny.n_users, tiny.n_items, features, model.users)
    objectives = [Objective(config, m, features) for m in models]
    draws = torch.Generator()
    found = StackedObjective(objectives[0])(model, batch, draws)
    expected = [
        o(m, t, features, draws) for o, m, t in zip(objectives, models, triples, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-12, atol=0)


@pytest.mark.parametrize("levels", [3, 1000])
def test_metrics_of_seeds_rank_ties_and_non_numbers_as_evaluate_does(levels):
    data = synthetic(80, 300, 2000, image_width=4, text_width=4, seed=1)
    draw = torch.Generator().manual_seed(levels)
    users = torch.randint(levels, (2, 80, 3), generator=draw).double()
    items = torch.randint(levels, (2, 300, 3), generator=draw).double()
    items[1, ::7] = torch.nan
    known = data.matrix("train")
    again = Interactions(
        [*data.valid.users, 0], [*data.valid.items, known.indices[0]]
    )  # one validation item is a training item too: it is never ranked
    data = Dataset("d", 80, 300, data.train, again, data.test, data.features)
    found = metrics_of_seeds(users, items, data, (5, 10, 20, 50))
    for seed in range(2):
        assert found[seed] == evaluate(users[seed], items[seed], data, "valid").means()
