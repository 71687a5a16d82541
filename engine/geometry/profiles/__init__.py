"""How the loss rises along single directions, at distances that rewriting the factors keeps."""

from engine.geometry.profiles.profile_computation import loss_profile
from engine.geometry.profiles.profile_config import ProfileConfig
from engine.geometry.profiles.profile_result import Profile

__all__ = ["Profile", "ProfileConfig", "loss_profile"]
