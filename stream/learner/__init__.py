"""The learner without files: it predicts, scores and trains, and says what it would recommend."""
