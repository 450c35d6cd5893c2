"""Text to speech: text to words, words to phones, phones to a mel spectrogram, that to sound."""
