"""Five photos that people decide on, how the tests decide, and what the labels are then."""

from saree_cosface.curation.deciding import decide_about
from saree_cosface.data.manifest_file import read_manifest

ROWS = """path,craft,piece,source,split,accession
shop/a.jpg,jamdani,s1,shop,train,007
shop/b.jpg,Kanchipuram,s2,shop,val,1.50
shop/c.jpg,patola,,museum,test,
museum/c.jpg,bandhani,s4,museum,test,NA
museum/d.jpg,oddity,,museum,,x
"""


def about(log, kind, photo, by="Asha", why="seen", **options):
    return decide_about(
        log, read_manifest(log.path.parent / "manifest.csv", on_unknown="keep"), kind, photo, by=by, why=why, **options
    )


def labels(applied):
    return dict(zip(applied.after.table["path"], applied.after.table["craft"], strict=True))
