"""A classifier's model card: what it says, what it learnt from, how good and how fast it is."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.manifest import ModelManifest
from training.classifiers.export import Variant
from training.classifiers.pictures import Pictures
from training.classifiers.recipe import ClassifierRecipe
from training.classifiers.report import Measured


def card(
    manifest: ModelManifest,
    recipe: ClassifierRecipe,
    pictures: Pictures,
    measured: Sequence[Measured],
    variants: tuple[Variant, Variant],
) -> str:
    """The card as Markdown."""
    whole, small = variants
    side = manifest.input.width
    lines = [
        f"# Model card: {manifest.name} {manifest.version}",
        "",
        f"Says of a picture which of {', '.join(manifest.labels)} it shows. Licence: {recipe.licence}.",
        "",
        f"- **Input** `images`: uint8 [N, {side}, {side}, 3] BGR, the square middle of the picture.",
        f"- **Output** `logits` f32 [N, {len(manifest.labels)}].",
        f"- **Network**: {recipe.network.name} of {recipe.network.library}, from `{recipe.network.weights}`.",
        f"- **Learnt from**: {pictures.told} (SHA-256 {pictures.sha256[:16]}). {recipe.data_note}",
        f"- **Time** for one picture on one thread: {whole.milliseconds:.1f} ms ({whole.megabytes:.1f} MB), "
        f"INT8 {small.milliseconds:.1f} ms ({small.megabytes:.1f} MB), measured where it was made.",
    ]
    if manifest.attribute is not None:
        seen = manifest.attribute
        lines.insert(4, f"As a second stage: `{seen.name}` of {', '.join(seen.boxes)}, {seen.part} of the box.\n")
    lines += ["", "| pictures | class | precision | recall | F1 |", "|---|---|---|---|---|"]
    for one in measured:
        for label, figures in zip(manifest.labels, one.figures.classes, strict=True):
            rates = f"{figures.precision:.3f} | {figures.recall:.3f} | {figures.f1:.3f}"
            lines.append(f"| {one.name}: {figures.pictures} | {label} | {rates} |")
    return "\n".join(lines) + "\n"
