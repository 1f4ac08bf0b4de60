"""Names and notes that would run or break out of a page, and a reader that makes sure that they do not."""

from html.parser import HTMLParser

SCRIPT = "</div><script>window.hacked = 1</script>"
IMAGE = "<img src=x onerror='window.hacked = 1'>"
HOSTILE = f"{SCRIPT}{IMAGE} ${{window.hacked = 1}} {{{{constructor}}}} ساڑی 🧵 {'x' * 200}"


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.text, self.open = [], [], []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in ("img", "br", "input", "link", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def tame(html):
    """The text of a page that is well formed, and in which nothing can run."""
    parser = _Tags()
    parser.feed(html)
    assert parser.open == []
    for tag, attributes in parser.found:
        assert tag not in ("script", "iframe", "object", "embed", "svg", "style")
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert attributes.get(name, "data:image/").startswith("data:image/")
    return "".join(parser.text)
