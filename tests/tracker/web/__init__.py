"""The web page's parts and its pages."""
