"""What pages show: a folder a page, a file a heading."""
