"""From interactions to arrays: a micro-batch, and the vocabularies that its categorical rows point into."""
