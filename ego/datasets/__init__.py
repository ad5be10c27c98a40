"""One file a data set: its annotations, clips in seconds, splits and signals."""
