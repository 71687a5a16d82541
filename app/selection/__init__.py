"""What this visitor looks at: runs folder, dataset and chosen runs."""
