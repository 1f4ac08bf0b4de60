"""A run that can be given away: without photos, paths and names, with a card; to a hub, and back."""
