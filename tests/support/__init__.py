"""What tests of several kinds share: servers that can be broken."""
