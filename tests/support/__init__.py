"""Helpers of several tests: databases, a recording handler, real worker processes."""
