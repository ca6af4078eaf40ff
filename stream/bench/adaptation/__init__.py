"""Every way to adapt on the same streams from the same seeds: what it predicts, what it costs, which to use."""
