"""The contracts of the products as data (``README.md``), and the reader of it."""
