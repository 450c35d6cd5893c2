"""The wire contract as code: what stands in records, and how it is read and written."""
