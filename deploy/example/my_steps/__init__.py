"""Steps of your own, in an image of your own."""
