"""The texts of the interface, a file a language, and numbers and dates as each writes them."""
