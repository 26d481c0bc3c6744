"""The three flows. A flow runs one entry and returns its verdict. The engine calls the flows and stores the verdicts.

The engine opens ``dispatcher``, which calls the flows ``customer_flow``, ``customer_type_flow`` and ``order_flow``. ``till_reader`` and
``shop_writer`` gather the requests of many entries. ``email_search`` and ``create_protocol`` create a customer without a twin.
``deletion_check`` proves that a 404 is a deletion. ``failure_verdicts`` decides whether an upstream error is the entry's or the account's.
"""
