"""The software-defined assets: the stages of a batch, and what PLE learns with."""
