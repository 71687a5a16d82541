"""Flatness measures as axis labels."""

SHORT = {
    "top_eigenvalue": "top eigenvalue",
    "trace": "trace",
    "eigenvalue_ratio": "top over 5th eigenvalue",
    "gauss_newton_top_eigenvalue": "Gauss-Newton top eigenvalue",
    "box_sharpness": "box sharpness (Keskar)",
    "ball_sharpness": "ball sharpness (SAM)",
    "noise_sharpness": "weight-noise sharpness",
    "factor_top_eigenvalue": "top eigenvalue by factors",
    "adaptive_top_eigenvalue": "adaptive top eigenvalue",
    "adaptive_sharpness": "adaptive sharpness (ASAM)",
    "relative_noise_sharpness": "relative-noise sharpness",
    "balanced_top_eigenvalue": "balanced top eigenvalue",
    "input_sharpness_image": "input sharpness, images",
    "input_sharpness_text": "input sharpness, texts",
}
