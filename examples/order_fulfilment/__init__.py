"""Sub-branches of unequal depth: an order is paid, picked and packed at once, then sent."""
