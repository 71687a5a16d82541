"""Small datasets on disk, one writer per format; every test changes only what it is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

INTER_HEADER = "userID\titemID\trating\ttimestamp\tx_label"
INTER_ROWS = (
    "0\t0\t5\t10\t0",
    "0\t1\t4\t11\t0",
    "0\t2\t4\t12\t1",
    "0\t3\t4\t13\t2",
    "1\t2\t5\t10\t0",
    "1\t0\t5\t12\t2",
)

MakeFolder = Callable[..., Path]


def features(n_items: int, width: int = 3) -> np.ndarray:
    return np.arange(n_items * width, dtype=np.float32).reshape(n_items, width)


@pytest.fixture
def mmrec_folder(tmp_path: Path) -> MakeFolder:
    """Write an MMRec folder of 2 users and 4 items; rows, header and features can be replaced."""

    def make(
        rows: tuple[str, ...] = INTER_ROWS,
        header: str = INTER_HEADER,
        image: np.ndarray | None = None,
        items_csv: str | None = None,
    ) -> Path:
        folder = tmp_path / "tiny"
        folder.mkdir()
        (folder / "tiny.inter").write_text("\n".join([header, *rows]) + "\n")
        np.save(folder / "image_feat.npy", features(4) if image is None else image)
        np.save(folder / "text_feat.npy", features(4, 2))
        if items_csv is not None:
            (folder / "items.csv").write_text(items_csv)
        return folder

    return make


@pytest.fixture
def amr_folder(tmp_path: Path) -> MakeFolder:
    """Write an AMR folder of 3 users and 5 items."""

    def make(
        pos: str = "0 0\n0 1\n0 4\n1 1\n1 2\n2 3\n",
        neg: str = "2 3 4\n0 3 4\n0 1 2\n",
        n_rows: int = 5,
    ) -> Path:
        folder = tmp_path / "fashion"
        folder.mkdir()
        (folder / "pos.txt").write_text(pos)
        (folder / "neg.txt").write_text(neg)
        np.save(folder / "f_resnet.npy", features(n_rows))
        return folder

    return make


@pytest.fixture
def cornac_folder(tmp_path: Path) -> MakeFolder:
    """Write a Cornac folder of 2 users and 3 listed items; item z is rated but not listed."""

    def make(
        rating: str = "ann\tb\t5\nann\ta\t3\nbob\tc\t4\nbob\ta\t1\nbob\tz\t5\n",
        item_ids: str | None = "c\na\nb\n",
        text: str | None = "a::a red cup\nc::a hat :: large\n",
        n_rows: int | None = 3,
    ) -> Path:
        folder = tmp_path / "clothes"
        folder.mkdir()
        (folder / "rating.txt").write_text(rating)
        if item_ids is not None:
            (folder / "item_ids.txt").write_text(item_ids)
        if text is not None:
            (folder / "text.txt").write_text(text)
        if n_rows is not None:
            np.save(folder / "image_features.npy", features(n_rows))
        return folder

    return make


@pytest.fixture
def table_folder(tmp_path: Path) -> MakeFolder:
    """Write a folder of CSV tables; other files by name."""

    def make(
        interactions: str = "user,item,rating\nu2,b,5\nu10,a,4\nu2,a,1\nu10,c,5\n",
        items: str | None = "item,title,image_0,image_1\na,Cup,0.5,1\nb,Hat,2,3\nc,Bag,4,5\n",
    ) -> Path:
        folder = tmp_path / "market"
        folder.mkdir()
        (folder / "interactions.csv").write_text(interactions)
        if items is not None:
            (folder / "items.csv").write_text(items)
        return folder

    return make
