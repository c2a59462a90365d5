"""A zoo of small language models with known relations: trained bases, their twins by seed, and what people make of models."""
