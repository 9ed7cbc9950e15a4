"""Writes docs/configuration.md from the settings themselves: ``python -m configs.document > docs/configuration.md``."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from configs.endpoint_files import EndpointFile
from configs.qa_files import QaFile
from configs.scorer_files import packaged_scorers
from configs.scorer_kinds import KINDS
from configs.settings import CONFIG_VARIABLE, DEFAULT_FILE, PREFIX, Settings

HEAD = f"""# Configuration

Each setting may come from a YAML file, from the environment or from a flag. A later one wins:
default < file < environment < flag. The file is the one that `--config` names, else the one that `{CONFIG_VARIABLE}`
names, else `./{DEFAULT_FILE}` if it is there. A key nobody knows, in the file or as a `{PREFIX}*` variable, is an
error that names the nearest known one.

- Mappings (`lanes`, `partitions`) are replaced whole, never merged; in the environment they are JSON.
- An empty variable counts as not set; `none` in the environment means no value where a setting allows that.
- Relative paths are relative to the working directory.
- Secrets and passwords in database addresses are masked wherever settings are printed.
- Units are in the names: `_s` seconds, `_ms` milliseconds, `_bytes`, `_tokens`, `_chars`.

| setting | environment | default | meaning |
| --- | --- | --- | --- |
"""

SCORER_HEAD = f"""
## The scorer file

`scorer` is the name of a packaged scorer file ({", ".join(f"`{name}`" for name in packaged_scorers())}) or the path
of one. It is YAML, and its `kind` says which keys it has. Models are read from safetensors files only, and never run
code of their own; a model of the hub is pinned to a commit. Where the hub cannot be reached, fetch the model elsewhere
(`hf download NAME --revision COMMIT --local-dir FOLDER`) and name the folder. `goldfold doctor` loads the model and
says what it found.

`scorer` takes a file whose kind reads texts. `opennsfw`, `hf-image` and `image-text` read images, `video` reads videos.
"""

SCORER_EXAMPLE = """
```yaml
kind: hf-text
model: ./models/toxicity        # a folder beside this file, or a hub id together with revision
labels: {hate: hate_speech, threat: violence}
activation: sigmoid
```
"""

GUARDS = """
### Guard models

A scorer of kind `guard-llm` puts each policy's own text (title, definition and rules of its file in `policies_dir`) and
one item's text to a causal language model, and takes the two answer tokens of its `style` where the answer begins:
P(violates) is the softmax over their two logits. Nothing is generated and nothing is trained: a policy that is added
or reworded counts from the next start on, and changes nothing in the scores under the others.

```yaml
kind: guard-llm
model: ./models/guard             # a folder beside this file, or a hub id together with revision
style: llama-guard                # generic, llama-guard, shieldgemma or gpt-oss-safeguard
policies: [hate_speech, violence] # left out: all there are
max_tokens: 512                   # of one text
cache_bytes: 2000000000
```

- **Files.** Packaged are `llama-guard-3`, `shieldgemma` and `gpt-oss-safeguard`, and `guard-generic` as an example of
  the generic style, which takes any instruction-tuned decoder with a chat template. Llama Guard and ShieldGemma are
  given out by their makers only to those who accept a licence on the hub.
- **Cost.** Every policy costs one reading of every text. What stands before the text is read once and its keys and
  values are kept, as far as `cache_bytes` goes; the shieldgemma style puts the text first, so there it is the text that
  all policies share. `cache_bytes` bounds the keys and values of a batch once more; weights and the working memory of
  the layers come on top.
- **Long texts.** Beyond `max_tokens` (here, else the setting) the middle of a text is left out, and the score has a
  note that says how many tokens. Policies are never cut: one for which the model has no room is an error.
- **Hostile texts.** Texts and policies are tokenized apart from the prompt, by a copy of the tokenizer without control
  tokens, and the prompt's delimiters and speakers' names in them are broken by a space. So no text can end its
  quotation or open a turn in the form in which the prompt is written. That is no remedy against a text that *persuades*
  a model: measure it on golden items before you trust it.
- **Precision.** In float32 (on the CPU) a score is that of the model's plain forward pass over the whole prompt,
  whatever the batch (within 1e-5 with the small random models of the tests). In half precision, which a GPU gets, it is
  as near to float32 as the plain pass is and no nearer: with small random models in bfloat16 the two were seen equally
  far from it, by up to .008 in the mean and .025 at most. Do not compare scores from both at a threshold.
- **Models.** Any decoder of transformers with plain keys and values and a linear language head, sliding windows and
  capped logits included. Loading asks the model both ways, and refuses it where the answers differ.

What was never tried: none of these models' weights were at hand, so no prompt has met the model that it is meant for,
and no quality or speed of theirs is known here; nothing ran on a GPU. The control tokens, section tags and answers were
checked against the makers' public cards and formats (`scoring/guard_prompts.py` says which), the sentences between them
are ours. Llama Guard 3 knows its own categories by short names, and gpt-oss-safeguard is meant to reason first, which
one answer token leaves it no room for: expect less of both than their makers report. The weights of gpt-oss-safeguard
are in a 4-bit format (MXFP4), and whether they load here was not tried either. Scores are not calibrated.
"""


INT8 = """
### Encoder in int8

A scorer of kind `embedding-head` with `runtime: onnx-int8` runs its encoder as an ONNX graph with int8 weights, on the
CPU only (set `device: cpu` where there is a GPU). The graph is made when the encoder is first loaded, which takes some
seconds and `pip install 'goldfold[int8]'`, and is kept in `models` below `data_dir`.

- **Speed.** About 1.4 times the texts per CPU second of the default, measured with all-MiniLM-L6-v2 on 480 short real
  texts and one thread of one machine. Nothing is known of other machines, other models and long texts. Memory: the
  graph (23 MB there) comes on top of the float32 weights.
- **Why it is not the default.** Its vectors are others: in the same run the smallest cosine to those of the default
  was .979, and with the policies' own texts as head a probability moved by up to .075, by up to .038 among the texts
  nearest to a threshold. The default is held to .999 and .01. So the encoder has a version of its own: a head that was
  trained on the default's vectors is refused, kept embeddings are made anew, and thresholds must be set again.
- **Batches.** In a batch, int8 vectors would depend on the other texts in it (a probability moved by up to .082), so
  each text is read alone, and its score depends on nothing else.
- **Other models.** One that cannot be exported, or whose int8 vectors of a few probe texts fall below a cosine of .9 to
  its own float32 ones, is refused.
"""


MEDIA = """
### Images and videos

```yaml
kind: video
images: opennsfw                  # any scorer file that reads images
transcript: toxic-bert            # any that reads texts; left out: transcripts are not scored
```

- **Images** are JPEG, PNG, WebP or GIF. Pixels are prepared as the model's `preprocessor_config.json` says, by Pillow
  and numpy; a processor that only torchvision has, or whose output's size depends on the picture, is refused.
- **Captions** (`image-text`) need no training and cost no new pass over pictures whose embeddings are kept. SigLIP
  judges each caption by itself; CLIP only compares, so it needs `neutral` ones. Either ranks; neither is calibrated.
- **Videos** are MP4, MOV, WebM, MKV, AVI, MPEG-TS, MPEG-PS, FLV or Ogg with AV1, VP8, VP9, H.263, H.264, HEVC, MPEG-1,
  MPEG-2, MPEG-4, MJPEG or Theora pictures. Playlists (HLS, DASH, concat, SDP) are refused whatever they are called, and
  nothing inside a file can make Goldfold open another file or an address.
- **Frames** are taken at least every `floor_s`, and where colours differ by `scene` from the last one taken, so that
  a moment shorter than `floor_s` is seen too. Beyond `frames` they are thinned evenly, and the item has a note. `scene`
  was not tuned on real footage.
- **A policy's score** is the mean of its `top` highest frames. What harms for one frame only counts for a third of
  that: set `top: 1` where one frame is enough.
- **Damage.** What cannot be decoded is skipped, counted and noted; a file without one readable picture fails alone.

What was never tried: the published weights of `falconsai-nsfw` and `siglip2-zero-shot` were not at hand, so their files
were proved on small random models of the same architecture only; no image or video scorer ran on a GPU. SigLIP 1 models
need the package `sentencepiece` for their tokenizer.
"""


QA_HEAD = """
## The QA file

`qa_file` names a YAML file that daily QA reads ([quality.md](quality.md#daily-qa)). It is read at each call, so a
change counts from the next one on.

| key | default | meaning |
| --- | --- | --- |
"""

QA_EXAMPLE = """

```yaml
accuracy: 0.95
projects: {forum: 0.97, live-chat: 0.93}
actions: {remove: violates, warn: violates, keep: ok}
people: {mod-17: ana@example.org}
```
"""


def default(field: FieldInfo) -> str:
    """A field's default as people read it; ``(required)`` when it has none."""
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "shown" in extra:
        return str(extra["shown"])
    value: Any = field.default
    if value is PydanticUndefined:
        return "(required)"
    if isinstance(value, SecretStr) or value == "":
        return "(empty)"
    if isinstance(value, (bool, dict)):
        return f"`{json.dumps(value)}`"
    return "none" if value is None else f"`{value}`"


def rows(model: type[BaseModel], prefix: str | None = None) -> list[str]:
    """One table row a field; with ``prefix`` the name of its environment variable too."""
    lines = []
    for name, field in model.model_fields.items():
        cells = [f"`{name}`", default(field), field.description or ""]
        if prefix is not None:
            cells.insert(1, f"`{prefix}{name.upper()}`")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def kinds() -> str:
    """One table for each kind of scorer file."""
    return "\n".join(
        f"\n### {name}\n\n{' '.join((model.__doc__ or '').split())}\n\n"
        f"| key | default | meaning |\n| --- | --- | --- |\n{chr(10).join(rows(model))}"
        for name, model in KINDS.items()
    )


ENDPOINT = """
## The endpoint file

`goldfold evaluate --endpoint NAME` has an OpenAI-compatible chat service judge golden items ([judging.md](judging.md)).
NAME is a YAML file in `judges_dir`, without its ending, or on the command line the path of one:

```yaml
url: https://api.example.org/v1
model: some-model
key_env: SOME_KEY                 # the environment variable; the key itself stands in no file and no log
allow_content: true               # content of items leaves this machine
repeats: 3
temperature: 0.7
per_million_in: 0.15
per_million_out: 0.6
```

- **Addresses.** The name is looked up when a run begins; every address found must be public (or `private: true`), the
  run talks to the first of them and to no other, without any proxy, and the certificate must be that of the name. A
  redirect is not followed.
- **Policies.** A policy's title, definition and rules are put in the prompt as they are published and in force.

| key | default | meaning |
| --- | --- | --- |
"""


def page() -> str:
    """The whole of docs/configuration.md."""
    settings, endpoint_rows = "\n".join(rows(Settings, PREFIX)), "\n".join(rows(EndpointFile))
    qa = QA_HEAD + "\n".join(rows(QaFile)) + QA_EXAMPLE
    kinds_of_scorers = f"{SCORER_HEAD}{SCORER_EXAMPLE}{kinds()}\n{INT8}{GUARDS}{MEDIA}"
    return f"{HEAD}{settings}\n{kinds_of_scorers}{qa}{ENDPOINT}{endpoint_rows}\n"


if __name__ == "__main__":
    sys.stdout.write(page())
