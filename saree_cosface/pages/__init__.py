"""Pages: reports, audits, examinations, cards and the atlas, as HTML that opens offline."""
