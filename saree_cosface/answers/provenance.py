"""What is known of a reference piece, for the note of its enrolment."""

from dataclasses import dataclass, fields

from saree_cosface.curation.text import tidy_text

LONGEST = 1000


@dataclass(frozen=True)
class Provenance:
    """What is known of a reference piece, for the note of its enrolment.

    Attributes:
        inventory: its number in a collection.
        owner: who has it.
        weaver: who wove it, or the workshop.
        made: where and when.
        remark: anything else.

    >>> Provenance(inventory="T.12-1955", weaver="Haji Amin").note()
    'Inventory number: T.12-1955\\nWeaver or workshop: Haji Amin'
    """

    inventory: str = ""
    owner: str = ""
    weaver: str = ""
    made: str = ""
    remark: str = ""

    def note(self) -> str:
        """One line a fact; what is not known is left out.

        Raises:
            CurationError: a fact is too long, or holds what cannot be shown.
        """
        known = {field.name: tidy_text(getattr(self, field.name), _SAID[field.name], LONGEST) for field in fields(self)}
        return "\n".join(f"{_SAID[name]}: {' '.join(text.split())}" for name, text in known.items() if text)


_SAID = {
    "inventory": "Inventory number",
    "owner": "Owner or collection",
    "weaver": "Weaver or workshop",
    "made": "Made where and when",
    "remark": "Remark",
}
