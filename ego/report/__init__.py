"""Draws pictures and tables from what it is handed; loads no model."""
