"""A Whisper of transformers with random weights and a vocabulary of bytes, for tests: it hears nonsense, repeatably."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

LANGUAGES = ("en", "zh", "de")
_SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES)]
_SPECIAL += ["<|translate|>", "<|transcribe|>", "<|nospeech|>", "<|notimestamps|>"]


def write_tiny_whisper(folder: Path, multilingual: bool = True) -> Path:
    """Write the folder of a model that was never trained; returns it."""
    from transformers import (  # seconds, which whoever only collects tests need not wait for
        GenerationConfig,
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*letters, *_SPECIAL])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(_SPECIAL)
    end_text = _SPECIAL[0]
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end_text, extra_special_tokens=_SPECIAL[1:])
    fast.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    special = [vocabulary[token] for token in _SPECIAL[1:]]
    end = vocabulary["<|endoftext|>"]
    start = vocabulary["<|startoftranscript|>"]
    config = WhisperConfig(
        vocab_size=len(vocabulary), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_source_positions=1_500,
        max_target_positions=64, pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=start,
        suppress_tokens=[], begin_suppress_tokens=[],
    )  # fmt: skip
    torch.manual_seed(1)
    model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=start, max_length=64,
        suppress_tokens=special, no_timestamps_token_id=vocabulary["<|notimestamps|>"],
        is_multilingual=multilingual, alignment_heads=[[0, 0]], return_timestamps=False,
    )  # fmt: skip
    if multilingual:
        model.generation_config.lang_to_id = {f"<|{code}|>": vocabulary[f"<|{code}|>"] for code in LANGUAGES}
        model.generation_config.task_to_id = {name: vocabulary[f"<|{name}|>"] for name in ("translate", "transcribe")}
    model.save_pretrained(folder)
    return folder
