"""The demo's models: drawn clients, a score, and what is really trained, with numpy alone.

A new way to train is one entry in RECIPES.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FEATURES, CLIENTS, BUDGET = 8, 4_000, 0.2  # we may call one client in five
PRODUCTION = 900  # seeds of production's clients begin here; nobody trained on them

Predict = Callable[[np.ndarray], np.ndarray]


def draw_clients(rng: np.random.Generator, count: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """(features of shape (count, 8), 1 for who left); leaving depends on products of features, not on their sum."""
    x = rng.normal(shift, 1, (count, FEATURES))
    score = 1.1 * x[:, 0] * x[:, 1] + 0.9 * x[:, 2] - 0.8 * x[:, 3] * x[:, 4] + 0.5 * np.abs(x[:, 5])
    left = rng.random(count) < 1 / (1 + np.exp(-(1.6 * score - 2.6)))
    return x, left.astype(float)


def recall_at_budget(scores: np.ndarray, left: np.ndarray) -> float:
    """Of all who left, the share among the one in five we would have called; NaN where the model diverged."""
    if not np.isfinite(scores).all():
        return float("nan")
    called = np.argsort(-scores)[: int(len(scores) * BUDGET)]
    return round(float(left[called].sum() / left.sum()), 4)


def train(
    x: np.ndarray, y: np.ndarray, seed: int, *, hidden: int = 0, rate: float = 0.3, steps: int = 250, weight: float = 1
) -> Predict:
    """A logistic regression (`hidden` 0) or a network with one hidden layer, by plain gradient descent."""
    rng = np.random.default_rng(seed)
    batch = rng.choice(len(x), len(x) * 4 // 5, replace=False)
    x, y = x[batch], y[batch]
    w1 = rng.normal(0, 0.5, (x.shape[1], hidden))
    w2, cost = rng.normal(0, 0.1, hidden or x.shape[1]), np.where(y > 0, weight, 1.0)
    with np.errstate(all="ignore"):  # a rate that is too large diverges, which is part of the story
        for _ in range(steps):
            inner = np.maximum(x @ w1, 0) if hidden else x
            error = cost * (1 / (1 + np.exp(-inner @ w2)) - y) / len(x)
            if hidden:
                w1 -= rate * x.T @ (np.outer(error, w2) * (inner > 0))
            w2 -= rate * inner.T @ error * (1 if hidden else 3)

    def predict(rows: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            scores: np.ndarray = (np.maximum(rows @ w1, 0) if hidden else rows) @ w2
        return scores

    return predict


def with_products(x: np.ndarray) -> np.ndarray:
    """The features and the products of each two of them."""
    first, second = np.triu_indices(x.shape[1], 1)
    return np.hstack([x, x[:, first] * x[:, second]])


def with_sizes(x: np.ndarray) -> np.ndarray:
    """The features, their products, and the size of each whatever its sign."""
    return np.hstack([with_products(x), np.abs(x)])


@dataclass(frozen=True)
class Recipe:
    """A way to train: what is made of the features, and `train`'s own arguments."""

    name: str
    grow: Callable[[np.ndarray], np.ndarray] = np.asarray
    how: Mapping[str, Any] = field(default_factory=dict)


RECIPES: Mapping[str, Recipe] = {
    "linear": Recipe("Linear model"),
    "products": Recipe("Products of two features", with_products, {"steps": 400, "rate": 0.06}),
    "sizes": Recipe("Products, and the size of each feature", with_sizes, {"steps": 400, "rate": 0.3}),
    "network": Recipe("Small neural network", how={"hidden": 12, "steps": 450}),
    "weighted": Recipe("Linear, leavers weighted eightfold", how={"weight": 8}),
    "reckless": Recipe("A network with a rate that is far too large", how={"hidden": 16, "rate": 1e300}),
}


class Clients:
    """The clients that models learn from, those that they are held against, and production's, drawn once."""

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        self._known, self._held = draw_clients(rng, CLIENTS), draw_clients(rng, CLIENTS)

    def baseline(self) -> float:
        """What a linear model finds, on average of three seeds."""
        return float(np.mean([self.score(seed) for seed in range(3)]))

    def score(
        self, seed: int, grow: Callable[[np.ndarray], np.ndarray] = np.asarray, prod: bool = False, **how: Any
    ) -> float:
        """Train one model with that seed; its recall on what was held out, or on production's clients."""
        x, y = self._known
        test_x, test_y = self._production(seed) if prod else self._held
        return recall_at_budget(train(grow(x), y, seed, **how)(grow(test_x)), test_y)

    def _production(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        return draw_clients(np.random.default_rng(PRODUCTION + seed), CLIENTS, 0.04)
