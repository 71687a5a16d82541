"""Every model can be looked at: slices, Hessians, curves and maps; a new one needs no line here."""

import numpy as np
import pytest
import torch

from engine.embedding import EmbeddingConfig
from engine.embedding.embedded_rows import rows_of
from engine.geometry import CurvatureConfig, SliceConfig, loss_slice
from engine.geometry.curvature import curvature
from engine.geometry.curvature.hessian.factor_hessian import FactorHessian
from engine.geometry.curvature.hessian.gathered_hessian import GatheredHessian
from engine.geometry.curvature.measures.input_sharpness import input_gradients
from engine.geometry.triples import frozen_triples
from engine.models import MODELS, build_model
from engine.robustness import CurveConfig, robustness_curves
from engine.robustness.standard import ATTACK_TITLES, StandardAttackConfig, standard_attacks
from engine.training import TrainConfig, Trained, fit

CONFIGS = [config() for config in MODELS]


@pytest.fixture(scope="module", params=CONFIGS, ids=[config.name for config in CONFIGS])
def trained(request, tiny):
    """A few epochs of each model, in float64."""
    settings = {
        "model": request.param.model_dump(mode="json") | {"width": 6},
        "epochs": 3,
        "batch_size": 128,
        "device": "cpu",
        "precision": "float64",
        "optimiser.learning_rate": 0.01,
    }
    return fit(tiny, TrainConfig().changed(settings)).trained(tiny)


def test_a_slice_is_what_the_weights_give_at_each_point(trained):
    config = SliceConfig(n_points=3, radius=0.5, quantities=("train_loss", "recall@5"))
    found = loss_slice([trained], config)
    assert np.isfinite(found.values_RQAB).all()
    assert found.is_exact == trained.model.affine
    again = loss_slice([trained], config.changed({"quantities": ("train_objective",)}))
    assert np.isfinite(again.values_RQAB).all()
    assert np.ptp(again.values_RQAB) > 0


def test_hessian_products_by_factors_are_those_by_double_backward(trained):
    triples = frozen_triples(trained.dataset, 200)
    fast, slow = FactorHessian(trained, triples), GatheredHessian(trained, triples)
    draws = torch.Generator().manual_seed(0)
    vector_P = torch.randn(fast.space.size, generator=draws, dtype=torch.float64)
    torch.testing.assert_close(fast.gradient(), slow.gradient(), rtol=1e-8, atol=1e-12)
    expected = slow.product(vector_P)
    torch.testing.assert_close(fast.product(vector_P), expected, rtol=1e-7, atol=1e-10)


def test_hessian_products_of_the_objective_are_symmetric(trained):
    hessian = GatheredHessian(trained, frozen_triples(trained.dataset, 200), "objective")
    draws = torch.Generator().manual_seed(0)
    u, v = (torch.randn(hessian.space.size, generator=draws, dtype=torch.float64) for _ in range(2))
    assert float(u @ hessian.product(v)) == pytest.approx(float(v @ hessian.product(u)), rel=1e-6)


@pytest.mark.parametrize("loss", ["ranking", "objective"])
def test_curvature_has_finite_numbers(trained, loss):
    quick = {"n_triples": 200, "n_top": 2, "n_bottom": 1, "trace_products": 6, "loss": loss}
    quick |= {"density_probes": 1, "density_steps": 5, "tolerance": 0.05}
    found = curvature(trained, CurvatureConfig().changed(quick))
    assert np.isfinite(found.top_eigenvalues_K).all()
    assert all(np.isfinite(value) for value in found.measures.values())
    assert all(np.isfinite(value) for value in found.blocks.values())


def test_the_worst_of_the_standard_attacks_is_below_clean_and_all_members(trained):
    quick = StandardAttackConfig(strengths=(0.5,), steps=2, restarts=2, n_draws=1, cutoff=5)
    runs = standard_attacks([trained], quick).per_run()
    assert (runs["worst"] <= runs["clean"]).all()
    for attack in ATTACK_TITLES:
        assert not (runs["worst"] > runs[attack]).any()
    users, items = trained.model({m: torch.zeros_like(x) for m, x in trained.features.items()})
    apart = users @ items.T - torch.linalg.multi_dot([trained.factors()[0], trained.factors()[1].T])
    moved = apart - apart.mean(dim=1, keepdim=True)  # a constant for a user changes no list
    assert runs["is_attackable"].all() == bool(moved.abs().max() > 1e-6)  # BM3 scores see none


def test_robustness_curves_start_from_the_clean_model(trained):
    config = CurveConfig(
        kinds=("gaussian", "missing", "swap", "fgsm", "pgd"), strengths=(0.0, 0.5), n_draws=2
    )
    frame = robustness_curves([trained], config).to_frame()
    assert np.isfinite(frame["value"]).all()


def test_a_map_can_be_drawn_of_factors_and_features(trained):
    whats = ["item_factors", "user_factors"] + (["features"] if trained.model.modalities else [])
    for what in whats:
        rows = rows_of(trained, EmbeddingConfig(what=what))
        n_users, n_items = trained.dataset.n_users, trained.dataset.n_items
        assert len(rows) == (n_users if what == "user_factors" else n_items)
        assert torch.isfinite(rows).all()


def test_gradients_by_features_have_their_shape(trained):
    found = input_gradients(trained, frozen_triples(trained.dataset, 200))
    assert set(found) == set(trained.model.modalities)
    for modality, gradient in found.items():
        assert gradient.shape == trained.features[modality].shape


def test_opened_in_another_precision_scores_stay(trained):
    opened = Trained.from_weights(
        trained.config, trained.model.theta(), trained.dataset, precision="float32", device="cpu"
    )
    for one, other in zip(opened.factors(), trained.factors(), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-4)


def test_a_model_that_does_not_declare_affine_maps_has_none(trained, tiny):
    model = build_model(trained.config.model, tiny, 0).double()
    if model.affine:
        pytest.skip(f"{type(model).__name__} declares affine maps, which has its own test")
    start = model.theta()
    generator = torch.Generator().manual_seed(0)
    step = {n: torch.randn(p.shape, generator=generator).double() for n, p in start.items()}
    at = []
    with torch.no_grad():
        for t in (0.0, 1.0, 3.0):
            theta = {n: start[n] + t * step[n] for n in start}
            at.append(torch.cat(torch.func.functional_call(model, theta, (trained.features,))))
    bend = at[2] - at[0] - 3 * (at[1] - at[0])
    assert float(bend.norm()) > 1e-3 * float(at[2].norm())
