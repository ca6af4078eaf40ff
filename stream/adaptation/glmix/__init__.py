"""GLMix: the keys' own weights as random effects with a posterior, beside the network as the fixed effect."""
