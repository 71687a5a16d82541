"""What models have in common whose factors come from a graph: all of them, or none."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn

from engine.data.features import Features
from engine.models.recommender import ModelOutput, Recommender


class GraphRecommender(Recommender):
    """Base of models that make every factor in ``output`` and give rows of them.

    Penalties act on the free embeddings ``users`` [n_users, .] and ``items`` [n_items, .].
    """

    users: nn.Parameter
    items: nn.Parameter

    @abstractmethod
    def output(self, features: Features) -> ModelOutput:
        """Factors of all users and items, and what the model's terms need besides."""

    def forward(self, features: Features) -> tuple[Tensor, Tensor]:
        output = self.output(features)
        return output.users, output.items

    def user_factors(self, features: Features, users: Tensor | None = None) -> Tensor:
        factors = self.forward(features)[0]
        return factors if users is None else factors[users]

    def item_factors(self, features: Features, items: Tensor | None = None) -> Tensor:
        factors = self.forward(features)[1]
        return factors if items is None else factors[items]

    def batch_factors(
        self, features: Features, users: Tensor, items: Tensor
    ) -> tuple[Tensor, Tensor]:
        user_factors, item_factors = self.forward(features)
        return user_factors[users], item_factors[items]

    def batch_output(self, features: Features, users: Tensor, items: Tensor) -> ModelOutput:
        whole = self.output(features)
        return ModelOutput(whole.users[users], whole.items[items], whole.extras)

    def embeddings(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        return (
            nn.functional.embedding(users, self.users),
            nn.functional.embedding(items, self.items),
        )

    def regularised(
        self, users: Tensor, items: Tensor, user_factors: Tensor, item_factors: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self.embeddings(users, items)
