"""One partition number at work: from raw records to what is published of them."""
