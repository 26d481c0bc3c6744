"""Converts between the contract's messages and the domain, one module for each topic. It decides nothing; request_checks has checked the
limits before."""
