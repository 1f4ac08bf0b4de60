"""Runs: the folder that a training makes and everything after it reads."""
