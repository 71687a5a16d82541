"""Dense, slow pieces of the models' equations, in float64."""

import torch


def symmetric(graph):
    """``D^-1/2 A D^-1/2`` of a dense matrix; rows without entries stay zero."""
    degrees = graph.sum(dim=1)
    scale = torch.diag(torch.where(degrees > 0, degrees.clamp_min(1e-30) ** -0.5, 0.0))
    return scale @ graph @ scale


def layers(matrix, start, n_layers):
    """``[E, A E, ..., A^n E]``."""
    found = [start]
    for _ in range(n_layers):
        found.append(matrix @ found[-1])
    return found


def cosines(x):
    """All cosines, pair by pair."""
    n = len(x)
    return torch.stack(
        [torch.stack([torch.dot(x[a], x[b]) / (x[a].norm() * x[b].norm()) for b in range(n)])
         for a in range(n)]
    )  # fmt: skip


def nearest(x, k, values="cosine"):
    """Each row's k largest cosines, or ones in their place; before normalisation."""
    similar = cosines(x)
    kept = torch.zeros_like(similar)
    for a in range(len(x)):
        for b in similar[a].argsort(descending=True)[:k]:
            kept[a, b] = similar[a, b].clamp_min(0) if values == "cosine" else 1.0
    return kept


def dense(layer, x):
    """``W x + b`` row by row."""
    return torch.stack(
        [layer.weight @ row + (0 if layer.bias is None else layer.bias) for row in x]
    )


def unit(rows):
    return torch.stack([row / row.norm() for row in rows])


def leaky(rows):
    return torch.where(rows > 0, rows, 0.01 * rows)


def slow_bpr(users, items, triples):
    """Mean of ``ln(1 + exp(s_uj - s_ui))``, triple by triple."""
    losses = []
    for u, i, j in zip(triples.users, triples.positives, triples.negatives, strict=True):
        losses.append(torch.log1p(torch.exp(users[u] @ items[j] - users[u] @ items[i])))
    return sum(losses) / len(losses)


def slow_info_nce(view, other, temperature):
    """Mean of ``-log softmax`` of each row's own partner."""
    view, other = unit(view), unit(other)
    losses = []
    for b in range(len(view)):
        odds = [torch.exp(view[b] @ other[n] / temperature) for n in range(len(other))]
        losses.append(-torch.log(odds[b] / sum(odds)))
    return sum(losses) / len(losses)
