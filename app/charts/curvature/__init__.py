"""Charts of the Curvature page."""
