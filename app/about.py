"""About this model: what it was made of, how good it was measured to be, where it fails, what it is not for."""

import gradio as gr

from saree_cosface.pages.model_card import model_page
from saree_cosface.scoring.model_card import model_card

from .desk import Desk
from .opening import tab_style, trouble, waiting, when_opened
from .speaking import fixed, spoken


def about_tab(desk: Desk) -> None:
    """Build the tab: it is read from the run's folder each time it is opened."""
    tab_style()
    page = gr.HTML(
        waiting(fixed("about.waiting")),
        padding=False,
        apply_default_css=False,
        elem_id="about",
        min_height=200,
    )

    def fill(request: gr.Request) -> str:
        say = spoken(desk.languages, request)
        try:
            return model_page(model_card(desk.run), say)
        except (OSError, ValueError) as error:
            return trouble(error, say)

    when_opened(fill, None, page)
