from saree_cosface.pages import exhibits


def test_a_figure_without_room_leaves_the_rest_of_the_page(monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device", str(path))

    assert "This could not be drawn (No space left on device)." in exhibits._drawn(full, "a figure", "wide")
    monkeypatch.setattr(exhibits, "write_evidence", lambda run, found, folder: full(folder))
    shown = exhibits._evidence(None, None)
    assert shown.startswith("<details>")
    assert "This could not be drawn" in shown
