"""Listing of the queues, and the actions of people on entries."""
