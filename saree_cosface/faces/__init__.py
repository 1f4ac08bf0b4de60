"""The face benchmark of the paper: the same heads, embedder, training and metrics, run on aligned faces."""
