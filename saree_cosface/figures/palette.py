"""Colours of figures and pages, for those, too, that draw nothing: matplotlib is slow to import."""

# Wong's colour-blind-safe palette (Nature Methods 8, 441), black left out: it is the ink of the axes.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#6F4E9C")

INK, MUTED = "#333333", "#888888"
