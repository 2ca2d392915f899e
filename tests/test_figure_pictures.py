"""Images stand where they are said to, each under its own scale, and what is no image is refused."""

import numpy as np
import pytest

from beyond_kernel.checks import BadParameter
from beyond_kernel.figure_pictures import pictures

IMAGES = {name: (place + 1.0) * np.arange(8.0).reshape(2, 4) - 3 * (name == "c") for place, name in enumerate("abc")}


def test_columns_are_filled_from_above_and_each_image_has_its_scale():
    figure = pictures(IMAGES, title="three", diverging=["c"])
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "c", "b", ""]
    for axes in panels:
        image, shown = IMAGES[axes.get_title(loc="left")], axes.images[0]
        np.testing.assert_array_equal(shown.get_array(), image)
        low = -np.abs(image).max() if image.min() < 0 else 0
        assert shown.get_clim() == (low, np.abs(image).max())
        assert shown.cmap.name == ("PuOr" if image.min() < 0 else "cividis")


def test_what_is_no_image_is_refused():
    for images in ({}, {"a": np.ones(3)}, {"a": np.ones((2, 2)), "b": np.ones((2, 3))}):
        with pytest.raises(BadParameter, match="must have one shape"):
            pictures(images, title="none")
    with pytest.raises(BadParameter, match="diverging names 'd'"):
        pictures(IMAGES, title="none", diverging=["d"])
    with pytest.raises(BadParameter, match="columns = 0"):
        pictures(IMAGES, title="none", columns=0)
