"""Services as frameworks keep them, one reader each: which file is it, and what are its template and its code."""
