"""Answers: what a photo, or the photos of a piece, are taken for, and what that rests on."""
