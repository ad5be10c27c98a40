"""The folders and files of real data sets, one module each, written from films."""
