"""Photos that can be turned and shrunk without much loss, and landmarks that are moved likewise."""

import cv2
import numpy as np

from tests.helpers import bad_photos as bad


def smooth(width, height, seed=0):
    """A picture that bilinear interpolation hardly changes."""
    return cv2.GaussianBlur(bad.textured(width, height, seed), (0, 0), 3)


def moved(points, angle, scale, shift):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ turn.T + shift
