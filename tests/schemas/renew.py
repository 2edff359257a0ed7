"""Writes kubernetes_pod.json anew from what the `kubernetes` client on PyPI says of pods.

    pip install --target /tmp/client kubernetes==37.0.2
    PYTHONPATH=/tmp/client python tests/schemas/renew.py

Descriptions, defaults and volumes of single vendors are left out; names, types and what is required stay. Values that
the client leaves open, but Kubernetes does not, are listed in CHOICES, from its API reference.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VOLUMES = {
    "name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "hostPath", "image", "nfs",
    "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
CHOICES = {
    ("V1AppArmorProfile", "type"): ["Localhost", "RuntimeDefault", "Unconfined"],
    ("V1Container", "imagePullPolicy"): ["Always", "IfNotPresent", "Never"],
    ("V1PodSpec", "restartPolicy"): ["Always", "Never", "OnFailure"],
    ("V1SeccompProfile", "type"): ["Localhost", "RuntimeDefault", "Unconfined"],
    ("V1SecurityContext", "procMount"): ["Default", "Unmasked"],
    ("V1Toleration", "effect"): ["NoExecute", "NoSchedule", "PreferNoSchedule"],
    ("V1Toleration", "operator"): ["Equal", "Exists", "Gt", "Lt"],
}
QUANTITIES = {"V1ResourceRequirements": ("limits", "requests")}


def main() -> None:
    from kubernetes import __version__  # type: ignore[import-not-found]
    from kubernetes.client.models.v1_pod_template_spec import V1PodTemplateSpec  # type: ignore[import-not-found]

    found = V1PodTemplateSpec.model_json_schema(by_alias=True)
    types = {name: shortened(one) for name, one in found.pop("$defs").items()} | {"V1PodTemplateSpec": shortened(found)}
    volume = types["V1Volume"]["properties"]
    types["V1Volume"]["properties"] = {name: volume[name] for name in volume if name in VOLUMES}
    for (name, field), choices in CHOICES.items():
        types[name]["properties"][field]["enum"] = choices
    for name, fields in QUANTITIES.items():
        for field in fields:
            types[name]["properties"][field]["additionalProperties"] = {"type": ["string", "number"]}
    source = f"PyPI kubernetes {__version__}: V1PodTemplateSpec. Apache-2.0, The Kubernetes Authors. See renew.py."
    lines = [f"{json.dumps(name)}: {json.dumps(types[name])}" for name in sorted(reached(types, "V1PodTemplateSpec"))]
    text = '{"$schema": "https://json-schema.org/draft/2020-12/schema",\n'
    text += f'"$comment": {json.dumps(source)},\n"$defs": {{\n' + ",\n".join(lines) + "\n}}\n"
    Path(__file__).with_name("kubernetes_pod.json").write_text(text)


def shortened(schema: Any) -> Any:
    """Without prose; a field that may be null is one that may be missing."""
    if not isinstance(schema, dict):
        return [shortened(one) for one in schema] if isinstance(schema, list) else schema
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        return shortened(choices[0])
    short = {}
    for key, value in schema.items():
        if key == "properties":
            short[key] = {name: shortened(one) for name, one in value.items()}
        elif key == "anyOf":
            short[key] = shortened(choices)
        elif key not in ("title", "description", "default"):
            short[key] = shortened(value)
    return short


def reached(types: dict[str, Any], name: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """The types that `name` is made of."""
    if name in seen:
        return set()
    return {name}.union(*(reached(types, other, seen | {name}) for other in references(types[name])))


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        schema = dict(enumerate(schema))
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref":
                yield value.rpartition("/")[2]
            else:
                yield from references(value)


if __name__ == "__main__":
    main()
