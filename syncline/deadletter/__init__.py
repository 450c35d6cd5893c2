"""Dead letters read back, chosen and sent again."""
