"""The systems we are compared with, each at the best settings found for it on two cores; how they were found stands in its module."""
