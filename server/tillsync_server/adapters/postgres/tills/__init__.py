"""Stores each till's allowance, proofs, create intents, and sales that wait to be read."""
