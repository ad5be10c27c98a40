"""One file an extractor: what it is called, what it is shown and the rows it gives."""
