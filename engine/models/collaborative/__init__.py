"""Models that read interactions alone."""
