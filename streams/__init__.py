"""The Syncline service: agents, join, decisions, batching and publishing."""
