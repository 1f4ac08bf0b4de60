"""Networks: what turns pixels into features, and the embedder that turns a photo into a unit vector."""
