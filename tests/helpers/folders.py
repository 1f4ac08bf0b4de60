"""Photos in folders by craft and source, as somebody keeps them."""

from tests.helpers.bad_photos import save, textured


def collection(folder):
    """Photos in folders by craft and source."""
    for row, place in enumerate(["Banaras/shop a", "Banaras/shop b", "kasavu/shop a", "kasavu/shop b"]):
        for number in range(2):
            save(folder / place / f"साड़ी {number}.png", textured(96, 72, 2 * row + number))
    return folder
