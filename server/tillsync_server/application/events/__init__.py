"""Sends the results of orders to shops as events, independently of the lanes."""
