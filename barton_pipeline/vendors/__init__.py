"""Paid services. Belongs here: their clients and the sandbox that stands in for them. Not here: the stages that use them."""
