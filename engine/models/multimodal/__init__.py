"""Models that read item features."""
