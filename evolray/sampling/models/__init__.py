"""What loads and runs a checkpoint; torch, transformers and vLLM are in no other part of sampling."""
