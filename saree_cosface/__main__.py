"""``python -m saree_cosface`` is the command ``saree-cosface``."""

from saree_cosface.cli import main

if __name__ == "__main__":
    main()
