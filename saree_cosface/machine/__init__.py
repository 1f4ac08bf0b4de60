"""The machine that it runs on: threads, the memory of a photo, where caches lie."""
