"""Every cap on untrusted input, in one place. A file over a cap is refused by name, never truncated in silence."""

MAX_HEADER_BYTES = 100_000_000
"""Longest safetensors header; the same cap as the reference implementation."""

MAX_JSON_BYTES = 64_000_000
"""Longest index, labels or families file that is parsed."""

MAX_CONFIG_BYTES = 8_000_000
"""Longest configuration or features file that is parsed."""

MAX_TOKENIZER_BYTES = 64_000_000
"""Longest tokenizer file that is parsed."""

MAX_JSON_VALUES = 12_000_000
"""Most commas and brackets in one JSON text: what bounds the memory that parsing it takes."""

MAX_TENSORS = 1_000_000
"""Most tensors in one checkpoint."""

MAX_NAME_BYTES = 4_096
"""Longest tensor name."""

MAX_DIMENSIONS = 8
"""Most dimensions of one tensor."""

MAX_SHARDS = 10_000
"""Most shards of one checkpoint."""

MAX_METADATA_ENTRIES = 1_000_000
"""Most GGUF key-value pairs, and longest GGUF array of strings that is walked over."""

MAX_ADAPTER_RANK = 16_384
"""Largest rank of a low-rank adapter; its factors are held in memory."""

MAX_ELEMENTS = 2**63 - 1
"""Most elements of one tensor, and the largest offset: what a signed 64-bit integer holds."""

MAX_EXPERTS = 65_536
"""Most expert matrices in one stacked tensor; each becomes a weight of its own."""

MAX_FOLDER_ENTRIES = 100_000
"""Most entries of one folder that are looked at."""

MAX_BASES = 1_000
"""Most base models in one labels file."""

MAX_MODELS = 5_000
"""Most models in one distance matrix: it and its tree are held in memory."""

MAX_NESTING = 64
"""Deepest nesting of JSON or GGUF arrays that is followed."""

MAX_CARD_BYTES = 4_000_000
"""As much of a model card as is read."""

MAX_LICENCE_BYTES = 262_144
"""As much of a licence or notice file as is read."""

MAX_YAML_BYTES = 262_144
"""Longest front matter or merge configuration that is parsed."""

MAX_YAML_VALUES = 20_000
"""Most values in one YAML document."""

MAX_YAML_NESTING = 16
"""Deepest nesting of YAML."""

MAX_CLAIMS = 2_000
"""Most claims that are taken from one model's files."""

MAX_CLAIM_CHARACTERS = 1_000
"""Longest value of a claim."""

MAX_FINGERPRINT_BYTES = 256_000_000
"""Longest fingerprint in a registry or an archive of one."""

MAX_FACT_CHARACTERS = 1_000
"""Longest name or fact of a registry's entry, and most parents of one model."""

MAX_CATALOGUE_BYTES = 32_000_000
"""Longest catalogue of known models that is parsed."""

MAX_CATALOGUE_ROWS = 100_000
"""Most models in one catalogue."""

MAX_CATALOGUE_FIELD = 2_000
"""Longest field of a catalogue, in characters."""

MAX_GENERATIONS = 64
"""Longest chain of parents' parents that is followed; facts of an imported registry may tell endless ones."""

MAX_PICKLE_BYTES = 64_000_000
"""Longest pickle in a file of torch.save; it lists the tensors, their values lie beside it."""

MAX_PICKLE_OPCODES = 4_000_000
"""Most opcodes of a pickle: what bounds the memory that reading it takes. A tensor takes about 25."""

MAX_SHARING = 64
"""How many times the size of their files the tensors of a model of torch.save or ONNX may have together; they may share bytes."""

MAX_PROTOBUF_FIELDS = 8_000_000
"""Most fields of an ONNX file that are walked over; the values of a tensor are one."""

MAX_TYPED_BYTES = 64_000_000
"""Longest list of integers in an ONNX file that is decoded in memory; weights lie in raw bytes."""

MAX_FACTORED_RANK = 2_048
"""Largest rank of an adapter that is compared by its factors: singular values of matrices of this width are taken."""

MAX_SPOOL_BYTES = 8_000_000_000
"""Most bytes of models on servers that are kept in a temporary file because they are read more than once."""

MAX_LIST_BYTES = 500_000_000
"""Largest list of models to work through: a few million lines."""

MAX_CHANGES_BYTES = 64_000_000
"""Longest object of changes to a registry in object storage, unpacked."""

MAX_LISTED_OBJECTS = 1_000_000
"""Most objects below a prefix in object storage in which models are looked for."""

MAX_CHANGES_OBJECTS = 1_000_000
"""Most such objects in one registry; packing keeps them far fewer."""
