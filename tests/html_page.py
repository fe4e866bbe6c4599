"""A page of HTML as a test looks at it."""

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link", "input", "source", "wbr"}


class Page(HTMLParser):
    """Tags with their attributes, the text inside each, all text, and a check that every tag is closed in its place."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.text = [], [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.texts.append([tag, ""])
            self.open.append(self.texts[-1])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        self.text += data
        for element in self.open:
            element[1] += data

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def text_of(self, tag):
        return [text for name, text in self.texts if name == tag]
