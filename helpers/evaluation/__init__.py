"""What a trained model is worth: checks of what it writes, beyond its loss."""
