"""How the pages of models say things: slices, verdicts and reasons in words, by the names that the gate gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from api.console.formats import policy as policy_words

LANGUAGES = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mr": "Marathi",
    "ms": "Malay",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sr": "Serbian",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "und": "Language not known",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
PART = re.compile(r"(\w+)=(.*?)(?=\s\w+=|$)")
Json = dict[str, Any]


def value_words(dimension: str, value: str) -> str:
    """A slice's value as its readers say it: ``pt`` as Portuguese, severity ``3`` as S3."""
    if dimension == "policy":
        return policy_words(value)
    if dimension == "language":
        return LANGUAGES.get(value, value)
    return f"S{value}" if dimension == "severity" else value


def slice_words(name: str) -> str:
    """A slice as ``labeling.judging.slices.Cell`` names it, in words: Hate speech, Portuguese."""
    said = [value_words(*part) for part in PART.findall(name)]
    return ", ".join(said) if said else name


def reason_words(reason: str) -> str:
    """A reason of the gate, the slice that it is about in words."""
    name, found, why = reason.partition(": ")
    return f"{slice_words(name)}: {why}" if found and PART.match(name) else reason


def values_in_words(dimension: str, slices: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The values of slices in words."""
    return {str(one["value"]): value_words(dimension, str(one["value"])) for one in slices}


def told_verdict(gate_id: str, body: Mapping[str, Any]) -> Json:
    """A verdict as lists of them tell it."""
    told = {name: body[name] for name in ("verdict", "needed", "n", "at")}
    sides = {side: body[side]["model_id"] for side in ("challenger", "champion")}
    reasons = [reason_words(each) for each in body["reasons"]]
    title = f"{sides['challenger']} against {sides['champion']}: {body['verdict']}"
    return {"gate_id": gate_id, "title": title, **told, **sides, "reasons": reasons} | {
        "golden_version": body["golden"]["version"]
    }
