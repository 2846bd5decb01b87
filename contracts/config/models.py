"""The registry of models: where its versions are, and whose signatures count."""

from __future__ import annotations

from contracts.config.base import Spec
from contracts.config.evidence import S3


class Models(Spec, frozen=True, kw_only=True):
    """Versions of models are in `folder` or in the bucket `s3`; with neither, models change with the file and a start.

    `trusted_keys` are public keys (`vedette models key` prints this site's): where some are given, or `signed_only`
    says so, the jobs take no other model than one that is signed with one of them, or that came with Vedette. `mlflow`
    is the address of an MLflow server whose model registry `vedette models sync` keeps in line with ours; nothing is
    read from there.
    """

    folder: str = ""
    s3: S3 | None = None
    signed_only: bool = False
    trusted_keys: tuple[str, ...] = ()
    mlflow: str = ""
