"""The query that chose the rows of a card, in words that name nobody."""

import re

import pandas as pd

from saree_cosface.sharing.markdown import quoted

_TOLD = ("craft", "view", "split", "licence")


def query_in_words(where: str, table: pd.DataFrame) -> str:
    """A query in words, or the columns that it asks, where what it compares them with may name a person or a file.

    >>> table = pd.DataFrame({"craft": ["patola"], "source": ["Meera"], "core": [True]})
    >>> query_in_words("core and craft == 'patola'", table)
    "those for which `core and craft == 'patola'` holds"
    >>> query_in_words("core and source != 'Meera'", table)
    'those chosen by core, source'
    """
    asked = [str(column) for column in table.columns if re.search(rf"\b{re.escape(str(column))}\b", where)]
    private = [column for column in asked if column not in _TOLD and table[column].dtype.kind not in "bif"]
    if private or not asked:
        return f"those chosen by {', '.join(sorted(asked))}" if asked else "those chosen by a query"
    return f"those for which `{quoted(where)}` holds"
