"""Training: batches, what a step is, and how an embedder is fitted."""
