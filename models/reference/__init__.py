"""The reference model: its code, and beside it the trained weights, tokenizer and card."""
