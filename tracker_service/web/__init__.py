"""The web page: the API's own answers, drawn on the server, kept live by small ES modules."""
