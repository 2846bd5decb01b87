"""Any ImageNet CNN of torchvision or timm as one network: pixels in, logits out, the layer before last as features."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec
import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.fx.experimental import optimization

from contracts.decoding import from_json
from contracts.errors import ConfigError
from training import checkpoint
from training.classifiers.recipe import ClassifierRecipe, NetworkConfig


class ClassifierNet(nn.Module):
    """BGR pixels 0-255 [N,3,S,S] to logits [N,C]: pre-processing, a body up to its last linear layer, and a head."""

    mean: Tensor
    gain: Tensor

    def __init__(self, body: nn.Module, head: nn.Linear, config: NetworkConfig) -> None:
        super().__init__()
        self.body = body
        self.head = head
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("gain", 1 / torch.tensor(config.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        return cast(Tensor, self.head(self.features(pixels)))

    def features(self, pixels: Tensor) -> Tensor:
        """What the head sees of each picture [N,F]."""
        return cast(Tensor, self.body((pixels.flip(1) - self.mean) * self.gain)).flatten(1)


def open_network(config: NetworkConfig, data: Path) -> ClassifierNet:
    """The network with its ImageNet weights and its head of a thousand classes, in evaluation mode.

    Batch norms keep their statistics in training too: a few hundred pictures say less of them than ImageNet did.
    Raises ConfigError for a name that nobody knows, and weights that can't be had or belong to another network.
    """
    network = _made(config)
    if config.weights in ("hub", "none"):
        return _split(network, config).eval()
    path = data / config.weights
    if not path.exists():
        raise ConfigError("network.weights", f"{config.weights} is not in the data folder")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if "recipe" in state:
        return load_classifier(path).net
    return _split(_filled(network, state, path.name), config).eval()


def with_labels(net: ClassifierNet, count: int) -> ClassifierNet:
    """The network with a new head of `count` classes that says nothing yet."""
    head = nn.Linear(net.head.in_features, count)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    net.head = head
    return net


def weights_of(config: NetworkConfig, data: Path) -> str:
    """What tells the start's weights from others: the file's SHA-256, or the name of what the hub gives."""
    path = data / config.weights
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else config.weights


class Trained(NamedTuple):
    """What a `weights.pt` holds."""

    recipe: ClassifierRecipe
    labels: tuple[str, ...]
    temperature: float
    net: ClassifierNet


def load_classifier(path: Path) -> Trained:
    """The recipe, labels, temperature and network of a `weights.pt`."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    recipe = from_json(state["recipe"], ClassifierRecipe)
    network = _made(msgspec.structs.replace(recipe.network, weights="none"))
    net = _split(optimization.fuse(network.eval()) if state["folded"] else network, recipe.network)
    net = with_labels(net, len(state["labels"]))
    net.load_state_dict(state["net"])
    return Trained(recipe, tuple(state["labels"]), float(state["temperature"]), net.eval())


def save_classifier(trained: Trained, path: Path) -> None:
    """Write `weights.pt`."""
    state = {
        "recipe": msgspec.json.encode(trained.recipe),
        "labels": list(trained.labels),
        "temperature": trained.temperature,
        "folded": is_folded(trained.net),
        "net": trained.net.state_dict(),
    }
    checkpoint.save(state, path)


def is_folded(net: nn.Module) -> bool:
    """Whether the network has no batch norm of its own."""
    return not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())


def _made(config: NetworkConfig) -> nn.Module:
    hub = config.weights == "hub"
    timms = config.library == "timm"
    if not (timm.is_model(config.name) if timms else config.name in torchvision.models.list_models()):
        raise ConfigError("network.name", f"{config.library} knows no `{config.name}`")
    try:
        if timms:
            return timm.create_model(config.name, pretrained=hub)
        return cast(nn.Module, torchvision.models.get_model(config.name, weights="DEFAULT" if hub else None))
    except Exception as error:  # the hubs' errors have no common base
        if not hub:
            raise
        raise ConfigError("network.weights", f"the hub doesn't give {config.name} ({error}): name a file") from error


def _filled(network: nn.Module, given: dict[str, Any], name: str) -> nn.Module:
    """The network with the file's weights: by name, or in their order where the shapes agree one by one."""
    if not is_folded(network) and not any(key.endswith("running_mean") for key in given):
        network = optimization.fuse(network.eval())
    own = network.state_dict()
    if given.keys() != own.keys() and len(given) == len(own):
        given = dict(zip(own, given.values(), strict=True))
    wrong = [key for key, value in own.items() if key not in given or given[key].shape != value.shape]
    if wrong:
        raise ConfigError("network.weights", f"{name} holds another network: {wrong[0]} isn't in it as it has to be")
    network.load_state_dict(given)
    return network


def _split(network: nn.Module, config: NetworkConfig) -> ClassifierNet:
    """The network without its last linear layer, and that layer."""
    linear = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ConfigError("network.name", f"{config.name} ends in no linear layer")
    name, head = linear[-1]
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, nn.Identity())
    return ClassifierNet(network, head, config)
