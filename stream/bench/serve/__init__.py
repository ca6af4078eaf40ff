"""How fresh, how fast and how steady the answers are: `stream bench serve`."""
