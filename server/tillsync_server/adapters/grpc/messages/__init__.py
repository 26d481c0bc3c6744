"""Between the contract's messages and the domain, one module a topic. Nothing here decides; limits are checked before (request_checks)."""
