"""A Kalman filter for boxes whose velocity fades: centre, width and height are four independent axes.

Each axis is (value, rate). The rate is an Ornstein-Uhlenbeck process (Singer 1970 for the velocity): it keeps its
direction for about `time_constant_s`, and its spread never exceeds `rate_std`. So a prediction over a gap comes to a
halt instead of flying on, and predicting 300 ms at once is exactly the same as three times 100 ms, which is what frames
at any interval need. All standard deviations are fractions of the box's scale (its longer side).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.geometry import Floats

AXES = 4  # cx, cy, width, height


@dataclass(frozen=True)
class MotionModel:
    """How boxes move, in scales (longer box sides) and seconds; each pair is (centre, size)."""

    rate_std: tuple[float, float] = (0.8, 0.3)  # a pedestrian: 1.4 m/s at 1.75 m is 0.8 heights a second
    time_constant_s: tuple[float, float] = (10.0, 1.0)
    measured_std: tuple[float, float] = (0.04, 0.06)
    doubt: float = 0.0  # how much larger a detection's error is at confidence 0 than at 1
    cut: float = 1.0  # doubt in the height of a box whose feet are hidden, as a share of what is missing


@dataclass(frozen=True)
class Motion:
    """What is known of N boxes at one moment: arrays [N,4] over (cx, cy, w, h) in px and px/s."""

    value: Floats
    rate: Floats
    variance: Floats
    covariance: Floats
    rate_variance: Floats

    def __len__(self) -> int:
        return len(self.value)

    def take(self, rows: NDArray[np.intp]) -> "Motion":
        """The chosen rows."""
        return Motion(
            self.value[rows], self.rate[rows], self.variance[rows], self.covariance[rows], self.rate_variance[rows]
        )

    def scale(self) -> Floats:
        """The longer side [N] of each box, px, at least 1."""
        return _scale(self.value)


def measurement_variance(cxcywh: Floats, confidence: Floats, model: MotionModel) -> Floats:
    """Variances [N,4] of detections [N,4], larger where the detector was in doubt."""
    scale = _scale(cxcywh)
    std = _per_axis(model.measured_std) * scale[:, None] * (1.0 + model.doubt * (1.0 - confidence[:, None]))
    return np.asarray(std**2)


def start(cxcywh: Floats, confidence: Floats, model: MotionModel) -> Motion:
    """The first knowledge of boxes [N,4]: where they are, at rest, with the full spread of rates."""
    scale = _scale(cxcywh)
    return Motion(
        value=cxcywh,
        rate=np.zeros_like(cxcywh),
        variance=measurement_variance(cxcywh, confidence, model),
        covariance=np.zeros_like(cxcywh),
        rate_variance=np.square(_per_axis(model.rate_std) * scale[:, None]),
    )


def predict(motion: Motion, dt_s: Floats, model: MotionModel) -> Motion:
    """The same boxes `dt_s` [N] later, with the exact process noise of the Ornstein-Uhlenbeck rate."""
    tau = _per_axis(model.time_constant_s)
    dt = dt_s[:, None]
    keep = np.exp(-dt / tau)
    reach = tau * (1.0 - keep)
    spread = (
        _per_axis(model.rate_std) * motion.scale()[:, None]
    ) ** 2  # q = 2 spread / tau, folded into the terms below
    value_noise = spread * (2.0 * tau * dt - 4.0 * tau * reach + tau**2 * (1.0 - keep**2))
    return Motion(
        value=motion.value + reach * motion.rate,
        rate=keep * motion.rate,
        variance=motion.variance
        + 2.0 * reach * motion.covariance
        + reach**2 * motion.rate_variance
        + np.maximum(value_noise, 0.0),
        covariance=keep * motion.covariance + reach * keep * motion.rate_variance + spread * tau * (1.0 - keep) ** 2,
        rate_variance=keep**2 * motion.rate_variance + spread * (1.0 - keep**2),
    )


def update(motion: Motion, measured: Floats, measured_variance: Floats) -> Motion:
    """Each box with the detection [N,4] that it took."""
    total = motion.variance + measured_variance
    gain, rate_gain = motion.variance / total, motion.covariance / total
    error = measured - motion.value
    return Motion(
        value=motion.value + gain * error,
        rate=motion.rate + rate_gain * error,
        variance=(1.0 - gain) * motion.variance,
        covariance=(1.0 - gain) * motion.covariance,
        rate_variance=motion.rate_variance - rate_gain * motion.covariance,
    )


def cut_variance(motion: Motion, measured: Floats, model: MotionModel) -> Floats:
    """Further variance [N,4] of detections [N,4] that end above the expected feet while their upper edge fits.

    Something nearer hides the legs then, and neither the box's height nor its centre says where the person is.
    """
    height = np.maximum(motion.value[:, 3], 1.0)
    missing = np.clip(1.0 - measured[:, 3] / height, 0.0, 1.0)
    top, expected_top = measured[:, 1] - measured[:, 3] / 2, motion.value[:, 1] - motion.value[:, 3] / 2
    is_cut = (missing > 0.1) & (np.abs(top - expected_top) < 0.1 * height)  # a tenth is a detector's usual jitter
    extra = np.where(is_cut, np.square(model.cut * missing * height), 0.0)
    none = np.zeros_like(extra)
    return np.stack((none, extra / 4, none, extra), axis=1)


def distance(motion: Motion, measured: Floats, measured_variance: Floats) -> Floats:
    """Squared Mahalanobis distance [N,M] from N predicted centres to M detections [M,4]; chi-squared with 2 degrees."""
    error = measured[None, :, :2] - motion.value[:, None, :2]
    total = motion.variance[:, None, :2] + measured_variance[None, :, :2]
    return np.asarray((error**2 / total).sum(axis=2))


def _per_axis(pair: tuple[float, float]) -> Floats:
    """(centre, size) spread over the four axes."""
    return np.array([pair[0], pair[0], pair[1], pair[1]], dtype=np.float64)


def _scale(cxcywh: Floats) -> Floats:
    """The longer side [N], px, at least 1."""
    return np.asarray(np.maximum(cxcywh[:, 2:].max(axis=1, initial=1.0), 1.0))
