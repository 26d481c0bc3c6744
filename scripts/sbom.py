"""Makes the list of components (SBOM) of a release: CycloneDX 1.6 in JSON, from ``requirements/server.txt``.

Each locked package has its version, the SHA-256 of its wheels, and the licence that its installed metadata declares. A package for another
system is not installed here, so its licence is missing and the property ``tillsync:marker`` names the system. The same commit and lock give
the same bytes: serial number and time come from the commit.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from lock import LOCKS, OWN, RANGE_FILES, Entry, entries
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CLIENT, SERVER = OWN
LICENCE = "Apache-2.0"
_LICENCE_NAME_MAX = 100
"""Longer texts in the field ``License`` are the licence itself, not its name."""

_SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
}
"""SPDX identifiers of names that packages declare in another form."""


class UnlockedError(Exception):
    """An installed package has another version than the lock, so its licence may be another one. The message names it."""


def sbom(root: Path, version: str, commit: str, epoch: int) -> str:
    """The component list of the server ``version``. ``epoch``: time of the commit in Unix seconds. Raises UnlockedError."""
    locked = entries((root / LOCKS["server"]).read_text(encoding="utf-8"))
    components = {name: _component(name, version, LICENCE) for name in map(canonicalize_name, OWN)}
    components |= {entry.name: _locked_component(entry) for entry in locked}
    server = components[canonicalize_name(SERVER)]
    server.type = ComponentType.APPLICATION
    bom = Bom(
        components=[component for component in components.values() if component is not server],
        serial_number=uuid5(NAMESPACE_URL, f"tillsync/{version}/{commit}"),
        metadata=BomMetaData(
            component=server, timestamp=datetime.fromtimestamp(epoch, UTC), properties=[Property(name="tillsync:commit", value=commit)]
        ),
    )
    needs = {name: {needed.name for needed in locked if name in needed.needed_by} for name in components}
    for name, file in zip(OWN, RANGE_FILES["server"], strict=True):
        needs[canonicalize_name(name)] = {canonicalize_name(each.name) for each in _dependencies(root / file)}
    for name, needed in needs.items():
        bom.register_dependency(components[name], [components[each] for each in sorted(needed)])
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _dependencies(file: Path) -> list[Requirement]:
    return list(map(Requirement, tomllib.loads(file.read_text(encoding="utf-8"))["project"]["dependencies"]))


def _component(name: str, version: str, licence: str) -> Component:
    purl = PackageURL("pypi", None, name, version)
    licences = [LicenseFactory().make_from_string(licence, license_acknowledgement=LicenseAcknowledgement.DECLARED)] if licence else []
    return Component(name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=str(purl), licenses=licences)


def _locked_component(entry: Entry) -> Component:
    component = _component(entry.name, entry.version, "")
    # The hashes are of the wheels for many systems, not of the component, so they belong to its distribution.
    component.external_references.add(
        ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(f"https://pypi.org/project/{entry.name}/{entry.version}/"),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in entry.hashes],
        )
    )
    marker = entry.requirement.marker
    if marker is not None:
        component.properties.add(Property(name="tillsync:marker", value=str(marker)))
    if marker is None or marker.evaluate():
        component.licenses.update(_licences(_installed(entry)))
    return component


def _installed(entry: Entry) -> Distribution:
    try:
        installed = distribution(entry.name)
    except PackageNotFoundError as error:
        raise UnlockedError(f"{entry.name} {entry.version} is locked and not installed") from error
    if installed.version != entry.version:
        raise UnlockedError(f"{entry.name} {entry.version} is locked and {installed.version} is installed")
    return installed


def _licences(installed: Distribution) -> Iterator[License]:
    """The declared licence: the SPDX expression (PEP 639), else the field ``License``, else the classifiers."""
    fields = installed.metadata
    declared = [*(fields.get_all("License-Expression") or ()), *(fields.get_all("License") or ())]
    names = [name for name in declared if name and "\n" not in name and len(name) <= _LICENCE_NAME_MAX][:1]
    classifiers = [each.rpartition(" :: ")[2] for each in fields.get_all("Classifier") or () if each.startswith("License :: ")]
    for name in names or classifiers:
        yield LicenseFactory().make_from_string(_SPDX.get(name, name), license_acknowledgement=LicenseAcknowledgement.DECLARED)
