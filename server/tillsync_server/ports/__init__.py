"""What the use cases need from outside, as Protocols. Adapters implement them; `composition` joins them."""
