"""Two weights one can drag: a component drawn by the browser, and its settings."""

from app.learn.playground.component import playground
from app.learn.playground.playground_settings import PlaygroundSettings

__all__ = ["PlaygroundSettings", "playground"]
