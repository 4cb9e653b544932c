"""Pipeline definitions: parsed, checked, compiled, drawn and replayed."""
