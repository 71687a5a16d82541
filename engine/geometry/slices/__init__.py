"""Loss and metric slices through weight space: config, computation, result."""
