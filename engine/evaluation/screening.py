"""Exact ranks and exact top lists without sorting whole rows of scores.

Two facts carry both. First, if the columns of a row are dealt into chunks, an item that beats a
given score lies in a chunk whose maximum beats it, so that chunk maxima, which cost one cheap
pass, tell where to look. Second, a held-out item cannot be among the top k once k allowed items
are known to beat it, so that most users need only the scores of the items that are strong for
everybody.

Order of items: higher score first, of equal scores the lower item id first. A score that is -inf
or not a number is no rank at all. Legend: U users, I items, B rows of a block, C chunks, W items a
chunk, P pairs of a row and an item, D factor width.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

CHUNK = 16
"""Items a chunk where all items are scored."""
SCREEN_CHUNK = 8
"""Items a chunk among the favourites: smaller, as the k-th best of few chunks is a weak bound."""
SCREENED_SHARE = 4
"""One item in this many is a favourite."""
PAIRS_AT_ONCE = 65_536
"""Pairs of a user and an item whose factors are laid side by side."""
SAMPLED_USERS = 1024
"""Users whose factors tell which items are favourites."""


class ChunkedScores:
    """Scores of blocks of users against a fixed set of items, in one buffer used again and again.

    Columns are padded with -inf to whole chunks; chunk c holds columns c, C + c, 2C + c, ...,
    which makes the maxima of chunks W - 1 element-wise maxima of contiguous stretches.
    """

    def __init__(self, item_ID: Tensor, n_rows: int, chunk: int) -> None:
        self.n_items = len(item_ID)
        self.n_chunks = -(-self.n_items // chunk)
        self.chunk = chunk
        padded_ID = item_ID.new_zeros(self.n_chunks * chunk, item_ID.shape[1])
        padded_ID[: self.n_items] = item_ID
        self._items_DI = padded_ID.T.contiguous()
        self._buffer = item_ID.new_empty(n_rows, len(padded_ID))

    def of(self, user_BD: Tensor) -> Tensor:
        """Scores [B, W * C] of some users; valid until the next call."""
        scores = self._buffer[: len(user_BD)]
        torch.mm(user_BD, self._items_DI, out=scores)
        scores[:, self.n_items :] = -torch.inf
        return scores

    def by_chunk(self, scores: Tensor) -> Tensor:
        """The scores as [B, W, C]."""
        return scores.view(len(scores), self.chunk, self.n_chunks)

    def maxima(self, scores: Tensor) -> Tensor:
        """The best score of each chunk [B, C]; scores that are not numbers become -inf."""
        maxima = self.by_chunk(scores).amax(dim=1)
        if maxima.sum().isnan():
            scores.masked_fill_(scores.isnan(), -torch.inf)
            maxima = self.by_chunk(scores).amax(dim=1)
        return maxima

    def few_for(self, k: int) -> bool:
        """Whether there are fewer chunks than k, so that their maxima tell little."""
        return self.n_chunks < k

    def ids(self, chunks: Tensor) -> Tensor:
        """Item ids of some chunks [N]: [N, W]."""
        firsts_W = torch.arange(self.chunk, device=chunks.device) * self.n_chunks
        return chunks[:, None] + firsts_W


def blocks(n: int, size: int) -> Iterator[slice]:
    """Slices that cover range(n), each at most ``size`` long."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def entries(matrix: sparse.csr_matrix, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions within ``rows`` and column ids of the entries of these rows, in row order: [P]."""
    lengths = np.diff(matrix.indptr)[rows]
    positions = np.repeat(np.arange(len(rows)), lengths)
    firsts = matrix.indptr[rows] - (np.cumsum(lengths) - lengths)
    columns = matrix.indices[np.arange(len(positions)) + firsts[positions]]
    return positions, columns.astype(np.int64)


def hide(scores_BI: Tensor, matrix: sparse.csr_matrix, users: np.ndarray) -> None:
    """Set the scores of the users' entries of a matrix to -inf, in place."""
    rows, items = (torch.from_numpy(ids).to(scores_BI.device) for ids in entries(matrix, users))
    scores_BI[rows, items] = -torch.inf


def ranks_of_pairs(
    user_UD: Tensor,
    item_ID: Tensor,
    train: sparse.csr_matrix,
    relevant: sparse.csr_matrix,
    users: np.ndarray,
    k: int,
    block: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Where relevant items stand in their users' rankings, for those among the top ``k``.

    Returns positions within ``users`` and ranks counted from 0, both int64 [hits]. Users whose
    relevant items are all beaten by k favourites are never scored in full.
    """
    rows, items = entries(relevant, users)
    if len(rows) == 0:
        return rows, rows
    candidates = _may_be_among_top(user_UD, item_ID, train, users, rows, items, k, block)
    rows, items = rows[candidates], items[candidates]
    ranks = np.empty(len(rows), dtype=np.int64)
    distinct, rows_of_distinct = np.unique(rows, return_inverse=True)
    device = user_UD.device
    scores_of = ChunkedScores(item_ID, min(block, len(distinct)), CHUNK)
    for part in blocks(len(distinct), block):
        chosen = users[distinct[part]]
        scores_BI = scores_of.of(user_UD[torch.from_numpy(chosen).to(device)])
        hide(scores_BI, train, chosen)
        maxima_BC = scores_of.maxima(scores_BI)
        first, last = np.searchsorted(rows_of_distinct, [part.start, part.stop])
        for some in blocks(last - first, block):
            pairs = slice(first + some.start, first + some.stop)
            row_P = torch.from_numpy(rows_of_distinct[pairs] - part.start).to(device)
            item_P = torch.from_numpy(items[pairs]).to(device)
            ranks[pairs] = _ranks(scores_of, scores_BI, maxima_BC, row_P, item_P, k).cpu().numpy()
    among = ranks < k
    return rows[among], ranks[among]


def best_items(scores_of: ChunkedScores, scores_BI: Tensor, k: int) -> Tensor:
    """The k best items of each row, -1 where fewer are left: int64 [B, k]."""
    if scores_of.few_for(k):
        scores_BI.masked_fill_(scores_BI.isnan(), -torch.inf)
        id_BI = torch.arange(scores_BI.shape[1], device=scores_BI.device).expand_as(scores_BI)
        return _in_order(scores_BI, id_BI, k)
    return _in_order(*_candidates(scores_of, scores_BI, k), k)


def _candidates(scores_of: ChunkedScores, scores_BI: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Scores and ids [B, L] of at least the k best items of each row, the rest -inf.

    The k-th best chunk maximum is at most the k-th best score, so whatever is below it is out.
    """
    maxima_BC = scores_of.maxima(scores_BI)
    least_B = maxima_BC.topk(k, sorted=False).values.amin(dim=1)
    held_BC = (maxima_BC >= least_B[:, None]) & (maxima_BC > -torch.inf)
    row_N, chunk_N = torch.nonzero(held_BC, as_tuple=True)
    score_NW = scores_of.by_chunk(scores_BI)[row_N, :, chunk_N]
    held_NW = (score_NW >= least_B[row_N][:, None]) & (score_NW > -torch.inf)
    entry_M, place_M = torch.nonzero(held_NW, as_tuple=True)
    row_M = row_N[entry_M]
    lengths_B = torch.bincount(row_M, minlength=len(scores_BI))
    firsts_B = lengths_B.cumsum(0) - lengths_B
    column_M = torch.arange(len(row_M), device=row_M.device) - firsts_B[row_M]
    width = max(k, int(lengths_B.max()))
    score_BL = scores_BI.new_full((len(scores_BI), width), -torch.inf)
    score_BL[row_M, column_M] = score_NW[entry_M, place_M]
    id_BL = torch.zeros_like(score_BL, dtype=torch.int64)
    id_BL[row_M, column_M] = chunk_N[entry_M] + place_M * scores_of.n_chunks
    return score_BL, id_BL


def _in_order(score_BL: Tensor, id_BL: Tensor, k: int) -> Tensor:
    """The first k ids of each row [B, k]: higher score first, then lower id; -1 for -inf."""
    more = min(k + 1, score_BL.shape[1])
    best_BM, places_BM = score_BL.topk(more, dim=1)
    ids_BK = id_BL.gather(1, places_BM[:, :k])
    ids_BK.masked_fill_(best_BM[:, :k] == -torch.inf, -1)
    equal_BK = (best_BM[:, 1:] == best_BM[:, :-1]) & (best_BM[:, 1:] > -torch.inf)
    tied = equal_BK.any(dim=1).nonzero().squeeze(1)
    if len(tied) > 0:
        ids, by_id = id_BL[tied].sort(dim=1)
        scores, places = score_BL[tied].gather(1, by_id).sort(dim=1, descending=True, stable=True)
        ids = ids.gather(1, places[:, :k])
        ids_BK[tied] = ids.masked_fill(scores[:, :k] == -torch.inf, -1)
    return ids_BK


def _ranks(
    scores_of: ChunkedScores,
    scores_BI: Tensor,
    maxima_BC: Tensor,
    row_P: Tensor,
    item_P: Tensor,
    k: int,
) -> Tensor:
    """Ranks of items in their rows [P], right below ``k``; k or more stands for all others."""
    score_P = scores_BI[row_P, item_P]
    if scores_of.few_for(k):
        all_I = torch.arange(scores_BI.shape[1], device=row_P.device)
        rank_P = _count_before(scores_BI.index_select(0, row_P), all_I, score_P, item_P)
        return rank_P.masked_fill(score_P == -torch.inf, k)
    # Each chunk with a strictly better maximum costs the item at least one rank.
    beaten_P = _count(maxima_BC.index_select(0, row_P) > score_P[:, None])
    ranks_P = torch.full_like(row_P, k, dtype=torch.int32)
    open_P = torch.nonzero((score_P > -torch.inf) & (beaten_P < k)).squeeze(1)
    row_P, item_P, score_P = row_P[open_P], item_P[open_P], score_P[open_P]
    holds_PC = maxima_BC.index_select(0, row_P) >= score_P[:, None]
    pair_N, chunk_N = torch.nonzero(holds_PC, as_tuple=True)
    rival_NW = scores_of.by_chunk(scores_BI)[row_P[pair_N], :, chunk_N]
    count_N = _count_before(rival_NW, scores_of.ids(chunk_N), score_P[pair_N], item_P[pair_N])
    ranks_P[open_P] = torch.zeros_like(row_P, dtype=torch.int32).index_add_(0, pair_N, count_N)
    return ranks_P


def _count_before(rival_NW: Tensor, id_NW: Tensor, own_N: Tensor, own_id_N: Tensor) -> Tensor:
    """How many rivals of each item rank before it: [N]."""
    before_NW = (rival_NW == own_N[:, None]) & (id_NW < own_id_N[:, None])
    before_NW |= rival_NW > own_N[:, None]
    return _count(before_NW)


def _count(flags_NW: Tensor) -> Tensor:
    """Flags set in each row: int32 [N], which is ten times as fast on the CPU as int64."""
    return flags_NW.sum(dim=1, dtype=torch.int32)


def _may_be_among_top(
    user_UD: Tensor,
    item_ID: Tensor,
    train: sparse.csr_matrix,
    users: np.ndarray,
    rows: np.ndarray,
    items: np.ndarray,
    k: int,
    block: int,
) -> np.ndarray:
    """False [P] only for pairs that k allowed items are certain to beat.

    Only favourites are scored. Train items are not hidden: a user's count of them is taken off
    instead. What is not a number counts for nothing, so that such pairs stay.
    """
    may = np.ones(len(rows), dtype=bool)
    needed = np.diff(train.indptr)[users] + k
    if len(item_ID) < 2 * np.median(needed) * SCREEN_CHUNK * SCREENED_SHARE:
        return may  # too few favourites to settle most users
    device = user_UD.device
    needed_U = torch.from_numpy(needed.astype(np.int32)).to(device)
    bar_P = _bars(user_UD, item_ID, users[rows], items)
    block *= SCREENED_SHARE  # as much memory as a block of all items takes
    favourites = item_ID[_favourites(user_UD, item_ID)]
    scores_of = ChunkedScores(favourites, min(block, len(users)), SCREEN_CHUNK)
    for part in blocks(len(users), block):
        user_BD = user_UD[torch.from_numpy(users[part]).to(device)]
        maxima_BC = scores_of.by_chunk(scores_of.of(user_BD)).amax(dim=1)
        first, last = np.searchsorted(rows, [part.start, part.stop])
        for some in blocks(last - first, block):
            pairs = slice(first + some.start, first + some.stop)
            row_P = torch.from_numpy(rows[pairs] - part.start).to(device)
            beaten_P = _count(maxima_BC.index_select(0, row_P) > bar_P[pairs, None])
            may[pairs] = (beaten_P < needed_U[part][row_P]).cpu().numpy()
    return may


def _bars(user_UD: Tensor, item_ID: Tensor, users: np.ndarray, items: np.ndarray) -> Tensor:
    """The scores [P] that are certain to beat the pairs' own, however products are rounded."""
    longest = item_ID.norm(dim=1).max()
    bar_P = user_UD.new_empty(len(users))
    for part in blocks(len(users), PAIRS_AT_ONCE):
        user_PD = user_UD[torch.from_numpy(users[part]).to(user_UD.device)]
        item_PD = item_ID[torch.from_numpy(items[part]).to(user_UD.device)]
        margin_P = 2 * _rounding(user_UD) * user_PD.norm(dim=1) * longest
        bar_P[part] = torch.linalg.vecdot(user_PD, item_PD) + margin_P
    return bar_P


def _favourites(user_UD: Tensor, item_ID: Tensor) -> Tensor:
    """Ids of the items most likely to score high for a user taken at random, best first."""
    sample = user_UD[:: max(1, len(user_UD) // SAMPLED_USERS)]
    mean_D = sample.mean(dim=0)
    spread_DD = torch.cov(sample.T, correction=0)
    variance_I = ((item_ID @ spread_DD) * item_ID).sum(dim=1)
    strength_I = item_ID @ mean_D + 2 * variance_I.clamp(min=0).sqrt()
    return strength_I.topk(len(item_ID) // SCREENED_SHARE).indices


def _rounding(factors: Tensor) -> float:
    """A bound on how far two computations of an inner product of unit vectors may differ.

    Width times machine epsilon, in any order of summation (Higham, Accuracy and Stability of
    Numerical Algorithms, eq. 3.5); epsilon is that of the product, not of the storage, where
    PyTorch may multiply fp32 as TF32 or bf16.
    """
    epsilon = torch.finfo(factors.dtype).eps
    if factors.dtype == torch.float32:
        coarser = {"high": 2.0**-10, "medium": 2.0**-7}
        epsilon = coarser.get(torch.get_float32_matmul_precision(), epsilon)
    return factors.shape[1] * epsilon
