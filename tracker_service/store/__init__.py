"""The read model's two databases behind one port."""
