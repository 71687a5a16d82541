"""The cluster processes: the embedded cluster of a runs folder, and workers for others."""
