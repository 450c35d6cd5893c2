"""The wire contract as code: the content of records, how to read and write it."""
