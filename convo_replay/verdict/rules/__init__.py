"""One rule of the verdict, one file."""
