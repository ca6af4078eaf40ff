"""One multi-label network that keeps learning from Kafka while its features and offers change."""
