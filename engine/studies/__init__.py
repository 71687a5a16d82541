"""What Basin runs on a cluster: trainings, analyses, sweeps and the demonstration."""
