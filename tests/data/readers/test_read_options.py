"""Options of reading: refused where they have no use, and written into a dataset's source."""

from __future__ import annotations

import pytest

from engine.data import LeaveOneOutSplit, RandomSplit, UserTimeSplit, dataset_source, read_dataset
from engine.foundation.errors import ConfigError, DataError

SYNTHETIC = "synthetic:users=12,items=9,interactions=60,image=2,text=2"


def test_a_split_can_be_named(mmrec_folder):
    folder = mmrec_folder()
    for name, split in [
        ("random", RandomSplit()),
        ("user_time", UserTimeSplit()),
        ("leave_one_out", LeaveOneOutSplit()),
    ]:
        assert read_dataset(folder, name).fingerprint == read_dataset(folder, split).fingerprint
    drawn = read_dataset(folder, "leave_one_out", seed=3)
    assert drawn.notes[0].startswith("Split: at random with seed 3, leaving one out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "by_day"}, "'by_day' is not a kind of split; allowed are label, random"),
        ({"split": "random", "seed": -1}, "the seed is -1; a whole number from 0"),
        ({"seed": 5}, "the seed 5 has no use here: the split 'label' draws nothing"),
        ({"split": UserTimeSplit(), "seed": 5}, "the split 'user_time' draws nothing"),
        ({"min_rating": float("nan")}, "min_rating is 'nan'; a number is needed"),
        ({"valid": "some"}, "valid is 'some'; allowed are leave_one_out, ratio, none"),
        ({"valid": "none"}, "--valid has no use for the format MMRec"),
    ],
)
def test_an_option_that_is_wrong_or_has_no_use_is_refused(mmrec_folder, options, message):
    with pytest.raises((ConfigError, DataError), match=message):
        read_dataset(mmrec_folder(), **options)


def test_each_format_refuses_what_it_cannot_use(amr_folder, cornac_folder, tmp_path):
    with pytest.raises(DataError, match="--min-rating has no use for the format AMR"):
        read_dataset(amr_folder(), min_rating=3)
    with pytest.raises(DataError, match="--valid none has no use beside --split random"):
        read_dataset(tmp_path / "fashion", "random", valid="none")
    with pytest.raises(DataError, match="a seed has no use with --valid none"):
        read_dataset(tmp_path / "fashion", valid="none", seed=1)
    with pytest.raises(DataError, match="--valid has no use for the format Cornac"):
        read_dataset(cornac_folder(), valid="ratio")
    with pytest.raises(DataError, match="--min-rating has no use for the format synthetic"):
        read_dataset(SYNTHETIC, min_rating=1)
    (tmp_path / "a.csv").write_text("user,item,time\n1,2,3\n1,3,4\n")
    with pytest.raises(ConfigError, match="the split 'user_time' draws nothing"):
        read_dataset(tmp_path / "a.csv", seed=1)


@pytest.mark.parametrize(
    "options",
    [
        {"split": RandomSplit(valid_share=0.2, test_share=0.3, seed=4)},
        {"split": "leave_one_out", "seed": 2},
        {"split": "user_time", "min_rating": 4},
        {"min_rating": 4.5},
        {},
    ],
)
def test_reading_a_source_again_gives_the_same_data(cornac_folder, options):
    folder = cornac_folder(rating="".join(f"u\t{i}\t{3 + i % 3}\t{i}\n" for i in range(20)),
                           item_ids=None, n_rows=None, text=None)  # fmt: skip
    dataset = read_dataset(folder, **options)
    again = read_dataset(dataset.source)
    assert again.fingerprint == dataset.fingerprint
    assert again.source == dataset.source == dataset_source(folder, **options)
    assert ("?" in dataset.source) == bool(options)


def test_a_synthetic_source_keeps_its_split():
    dataset = read_dataset(SYNTHETIC, seed=4)
    assert read_dataset(dataset.source).fingerprint == dataset.fingerprint
    assert dataset.fingerprint != read_dataset(SYNTHETIC).fingerprint


def test_what_is_given_goes_before_what_the_source_says(cornac_folder):
    folder = cornac_folder()
    assert dataset_source(f"{folder}?split=random&seed=1", seed=2).endswith("?split=random&seed=2")
    with pytest.raises(ConfigError, match="'colour' is not an option of reading; allowed are spli"):
        read_dataset(f"{folder}?colour=red")


def test_a_folder_with_a_question_mark_in_its_name_is_read(mmrec_folder):
    folder = mmrec_folder()
    odd = folder.rename(folder.with_name("what?seed=1"))
    assert len(read_dataset(odd)) == 6


@pytest.mark.parametrize(
    "path",
    ["~nobody-of-that-name/x", "a" * 5000, "a/" * 3000, "a\0b", "\udc80", "sample:\0"],
)
def test_a_path_that_cannot_be_is_one_sentence(path):
    with pytest.raises(DataError) as error:
        read_dataset(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    "size",
    [
        "users=100000000,items=1000,interactions=500000000",
        "users=10,items=100000000,interactions=100",
        "users=1000,items=100000,interactions=9000,image=1000000",
        "users=999999999999999999,items=999999999999999999,interactions=5",
        f"users={'9' * 5000}",
        "users=٣,items=9,interactions=9",
    ],
)
def test_synthetic_sizes_have_a_limit_with_an_estimate(size):
    with pytest.raises(DataError, match=r"GiB of memory; at most 4 GiB|is not understood") as error:
        read_dataset(f"synthetic:{size}")
    assert len(str(error.value)) < 500
