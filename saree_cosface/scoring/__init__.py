"""Scoring: how good the answers are on photos that training never saw, and why they might not be."""
