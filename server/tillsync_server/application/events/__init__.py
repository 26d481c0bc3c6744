"""Telling shops what became of their orders, beside the lanes and never in their way."""
