"""What only people can say of a collection.

The questions follow Gebru et al., Datasheets for Datasets (Communications of the ACM 64, 2021), as far as they concern
photographs of cloth, and add those that weavers and museums would ask.
"""

OPEN = "**To be answered by a person:**"
"""Stands before a question that nobody has answered; whoever answers it puts the answer in place of all of it."""

QUESTIONS = (
    (
        "Why it was made",
        (
            "Why was this collection made, and which question is it to answer?",
            "Who made it, who decided what went in, and who paid for it?",
        ),
    ),
    (
        "How the photos came together",
        (
            "Who took them, where, in which years, and for what purpose at the time?",
            "How were pieces chosen, and what was left out, on purpose or because it could not be had?",
            "Did those who own the cloth and those who took the photos agree to this use? How were they asked?",
        ),
    ),
    (
        "Who named the traditions",
        (
            "Who gave each label, looking at what: the cloth, the photo, the words of a seller or of a catalogue?",
            "How often were two people asked, and how often did they differ?",
            "Which of these names would the weavers put otherwise, or not agree to?",
            "Are there power-loom or printed copies among the pieces, and how are they labelled?",
        ),
    ),
    (
        "People in the photos",
        (
            "Do photos show people, their faces or their homes? Were they asked, and can they take it back?",
            "Which pieces were worn, and does wear or dirt tell something of their owners?",
        ),
    ),
    (
        "Who could be harmed",
        (
            "Who loses if a piece is given the wrong name here: which weavers, buyers, sellers, museums?",
            "Are there pieces, figures or rites that a community does not want to be shown or copied?",
            "What must this collection not be used for?",
        ),
    ),
    (
        "Who may have it, and who looks after it",
        (
            "Under which terms may photos, labels, and models trained on them be passed on, and who can allow more?",
            "Who corrects mistakes, and whom does somebody write to who wants a photo or a name taken out?",
            "Will it grow? What happens to old versions, and to models trained on them?",
        ),
    ),
)
"""Sections of a card, each with its questions."""


def open_questions(text: str) -> int:
    """How many questions of a card wait for an answer.

    >>> open_questions(f"{OPEN} Who took them?\\n\\nMeera did, in 2019.")
    1
    """
    return text.count(OPEN)


def questions_text() -> str:
    """The sections of a card that people write, with every question open."""
    sections = (
        f"## {title}\n\n" + "\n\n".join(f"{OPEN} {question}" for question in asked) for title, asked in QUESTIONS
    )
    return "\n\n".join(sections)
