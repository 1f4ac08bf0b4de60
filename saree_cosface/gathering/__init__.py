"""Openly licensed photographs found and fetched, with their credit, from services that anybody may ask."""
