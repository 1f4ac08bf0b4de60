"""About this model: what it was made of, how good it was measured to be, where it fails, what it is not for."""

import gradio as gr

from saree_cosface.pages.model_card import model_page
from saree_cosface.scoring.model_card import model_card

from .desk import Desk
from .opening import note, tab_style, waiting, when_opened


def about_tab(desk: Desk) -> None:
    """Build the tab: it is read from the run's folder each time it is opened."""
    tab_style()
    page = gr.HTML(
        waiting("Reading what is known of this model."),
        padding=False,
        apply_default_css=False,
        elem_id="about",
        min_height=200,
    )

    def fill() -> str:
        try:
            return model_page(model_card(desk.run))
        except (OSError, ValueError) as error:
            return note(str(error), problem=True)

    when_opened(fill, None, page)
