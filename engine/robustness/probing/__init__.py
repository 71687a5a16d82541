"""One model under one perturbation, at once: what the slider asks."""

from engine.robustness.probing.probe import ProbeAnswer, RobustnessProbe

__all__ = ["ProbeAnswer", "RobustnessProbe"]
