"""Pictures of the demonstration's runs that stand beside the steps of a lesson: one line each."""

from __future__ import annotations

from collections.abc import Callable

from app.learn.pictures.lifted_item import lifted_item
from app.learn.pictures.own_minima import own_minima
from app.learn.pictures.shopper import one_shopper
from app.learn.pictures.what_held import what_held

PICTURES: dict[str, Callable[[], None]] = {
    "one_shopper": one_shopper,
    "lifted_item": lifted_item,
    "own_minima": own_minima,
    "what_held": what_held,
}
"""Each draws itself in the place it is called from."""
