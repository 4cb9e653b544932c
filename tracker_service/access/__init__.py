"""Who may ask the API what: tokens, an issuer of them, and the checks before any route."""
