"""The learner without files: it predicts, scores, trains, and follows its schema."""
