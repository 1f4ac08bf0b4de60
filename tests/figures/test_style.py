"""What is written while figures are drawn."""

from matplotlib.figure import Figure

from saree_cosface.figures.style import any_names, save_figure


def test_bold_letters_of_any_script_are_drawn_without_a_word(tmp_path, caplog, recwarn):
    with any_names():
        figure = Figure(figsize=(2, 1))
        figure.suptitle("साड़ी பட்டு $ sari", weight="bold")
        save_figure(figure, tmp_path / "sheet.png")
    assert caplog.messages == []
    assert [str(warning.message) for warning in recwarn] == []
