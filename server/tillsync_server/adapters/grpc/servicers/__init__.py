"""Servicers, one module for each service. A method maps request → command → use case → response. ServedCalls checks rights and single
fields before the method runs."""
