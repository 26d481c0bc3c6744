"""What several tests share: databases, a recording handler, real worker processes."""
