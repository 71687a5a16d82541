"""One-dimensional profiles of the loss around the weights, on an axis that no rewriting moves."""

from engine.geometry.profiles.profile_computation import loss_profiles
from engine.geometry.profiles.profile_config import ProfileConfig
from engine.geometry.profiles.profile_result import LossProfiles

__all__ = ["LossProfiles", "ProfileConfig", "loss_profiles"]
