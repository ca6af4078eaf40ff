"""Sequential Bayes (arXiv 2108.13299): over all weights (`bayes-network`), or on the output layer (`bayes-output`)."""
