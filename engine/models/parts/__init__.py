"""What models are made of: graphs, layers, projections and contrastive losses."""
