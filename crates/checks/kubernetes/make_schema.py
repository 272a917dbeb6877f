#!/usr/bin/env python3
"""Writes schema.txt: the fields of the built-in kinds of Kubernetes, in a compact table of our own.

    pip download --no-deps kubernetes-validate==1.37.0
    python3 make_schema.py kubernetes_validate-1.37.0-py3-none-any.whl 1.37.0 > schema.txt

The facts come from the OpenAPI description of Kubernetes (Apache-2.0), as the package carries it. That has
no lists of values; those of ENUMS are what the API server accepts by its documentation.

The table: a line `kubernetes VERSION`; then, up to an empty line, a line for each kind (`GROUP/VERSION KIND
TYPE`); then a line for each type, the first being type 0: its fields, separated by blanks, each as
`NAME:SHAPE`, with `!` before a field that must be there. A shape is `s` (string), `b` (boolean), `i` (integer),
`n` (number), `q` (number or string), `I` (integer or string), `*` (anything), `=A|B` (one of), a number (that
type), `[` and a shape (a list), `{` and a shape (a map).
"""

import json
import sys
import zipfile

PULL = "Always|IfNotPresent|Never"
PROTOCOL = "TCP|UDP|SCTP"
LOCAL = "Cluster|Local"
SELECT = "In|NotIn|Exists|DoesNotExist"
PROFILE = "Localhost|RuntimeDefault|Unconfined"
ACCESS = "ReadWriteOnce|ReadOnlyMany|ReadWriteMany|ReadWriteOncePod"
PREEMPT = "Never|PreemptLowerPriority"
KEEP = "Retain|Delete"
ENUMS = {
    "core.v1.Container.imagePullPolicy": PULL,
    "core.v1.Container.terminationMessagePolicy": "File|FallbackToLogsOnError",
    "core.v1.ContainerPort.protocol": PROTOCOL,
    "core.v1.HTTPGetAction.scheme": "HTTP|HTTPS",
    "core.v1.HostPathVolumeSource.type":
        "|DirectoryOrCreate|Directory|FileOrCreate|File|Socket|CharDevice|BlockDevice",
    "core.v1.NodeSelectorRequirement.operator": SELECT + "|Gt|Lt",
    "core.v1.PersistentVolumeClaimSpec.accessModes": ACCESS,
    "core.v1.PersistentVolumeClaimSpec.volumeMode": "Block|Filesystem",
    "core.v1.PersistentVolumeSpec.accessModes": ACCESS,
    "core.v1.PersistentVolumeSpec.persistentVolumeReclaimPolicy": "Delete|Recycle|Retain",
    "core.v1.PersistentVolumeSpec.volumeMode": "Block|Filesystem",
    "core.v1.PodOS.name": "linux|windows",
    "core.v1.PodSecurityContext.fsGroupChangePolicy": "Always|OnRootMismatch",
    "core.v1.PodSpec.dnsPolicy": "ClusterFirst|ClusterFirstWithHostNet|Default|None",
    "core.v1.PodSpec.preemptionPolicy": PREEMPT,
    "core.v1.PodSpec.restartPolicy": "Always|OnFailure|Never",
    "core.v1.AppArmorProfile.type": PROFILE,
    "core.v1.SeccompProfile.type": PROFILE,
    "core.v1.SecurityContext.procMount": "Default|Unmasked",
    "core.v1.ServicePort.protocol": PROTOCOL,
    "core.v1.ServiceSpec.externalTrafficPolicy": LOCAL,
    "core.v1.ServiceSpec.internalTrafficPolicy": LOCAL,
    "core.v1.ServiceSpec.ipFamilies": "IPv4|IPv6",
    "core.v1.ServiceSpec.ipFamilyPolicy": "SingleStack|PreferDualStack|RequireDualStack",
    "core.v1.ServiceSpec.sessionAffinity": "ClientIP|None",
    "core.v1.ServiceSpec.type": "ClusterIP|NodePort|LoadBalancer|ExternalName",
    "core.v1.Taint.effect": "NoSchedule|PreferNoSchedule|NoExecute",
    "core.v1.Toleration.effect": "|NoSchedule|PreferNoSchedule|NoExecute",
    "core.v1.Toleration.operator": "Exists|Equal|Lt|Gt",
    "core.v1.TopologySpreadConstraint.nodeAffinityPolicy": "Honor|Ignore",
    "core.v1.TopologySpreadConstraint.nodeTaintsPolicy": "Honor|Ignore",
    "core.v1.TopologySpreadConstraint.whenUnsatisfiable": "DoNotSchedule|ScheduleAnyway",
    "core.v1.VolumeMount.mountPropagation": "None|HostToContainer|Bidirectional",
    "meta.v1.LabelSelectorRequirement.operator": SELECT,
    "apps.v1.DaemonSetUpdateStrategy.type": "RollingUpdate|OnDelete",
    "apps.v1.DeploymentStrategy.type": "Recreate|RollingUpdate",
    "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy.whenDeleted": KEEP,
    "apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy.whenScaled": KEEP,
    "apps.v1.StatefulSetSpec.podManagementPolicy": "OrderedReady|Parallel",
    "apps.v1.StatefulSetUpdateStrategy.type": "RollingUpdate|OnDelete",
    "autoscaling.v2.HPAScalingPolicy.type": "Pods|Percent",
    "autoscaling.v2.HPAScalingRules.selectPolicy": "Max|Min|Disabled",
    "autoscaling.v2.MetricSpec.type": "ContainerResource|External|Object|Pods|Resource",
    "autoscaling.v2.MetricTarget.type": "Utilization|Value|AverageValue",
    "batch.v1.CronJobSpec.concurrencyPolicy": "Allow|Forbid|Replace",
    "batch.v1.JobSpec.completionMode": "Indexed|NonIndexed",
    "batch.v1.JobSpec.podReplacementPolicy": "Failed|TerminatingOrFailed",
    "batch.v1.PodFailurePolicyRule.action": "Count|FailIndex|FailJob|Ignore",
    "networking.v1.HTTPIngressPath.pathType": "Exact|Prefix|ImplementationSpecific",
    "networking.v1.NetworkPolicyPort.protocol": PROTOCOL,
    "networking.v1.NetworkPolicySpec.policyTypes": "Ingress|Egress",
    "policy.v1.PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy": "AlwaysAllow|IfHealthyBudget",
    "rbac.v1.RoleRef.kind": "Role|ClusterRole",
    "rbac.v1.Subject.kind": "User|Group|ServiceAccount",
    "scheduling.v1.PriorityClass.preemptionPolicy": PREEMPT,
    "storage.v1.StorageClass.reclaimPolicy": "Delete|Retain",
    "storage.v1.StorageClass.volumeBindingMode": "Immediate|WaitForFirstConsumer",
    "apiextensions.v1.CustomResourceDefinitionSpec.scope": "Cluster|Namespaced",
    "admissionregistration.v1.RuleWithOperations.operations": "*|CONNECT|CREATE|DELETE|UPDATE",
    "admissionregistration.v1.RuleWithOperations.scope": "*|Cluster|Namespaced",
}
WEBHOOK = {"failurePolicy": "Ignore|Fail", "matchPolicy": "Exact|Equivalent",
           "sideEffects": "None|NoneOnDryRun|Some|Unknown"}
for hook in ("MutatingWebhook", "ValidatingWebhook"):
    for field, values in WEBHOOK.items():
        ENUMS[f"admissionregistration.v1.{hook}.{field}"] = values

PLAIN = {"string": "s", "boolean": "b", "integer": "i", "number": "n"}


def main(wheel, version):
    name = f"kubernetes_validate/kubernetes-json-schema/v{version}-local/_definitions.json"
    definitions = json.loads(zipfile.ZipFile(wheel).read(name))["$defs"]
    numbers, lines, used = {}, [], set()

    def kind_of(schema):
        of = schema.get("type")
        return next((t for t in of if t != "null"), None) if isinstance(of, list) else of

    def shape(schema, enum):
        if "$ref" in schema:
            return named(schema["$ref"].rsplit("/", 1)[1])
        kind = kind_of(schema)
        if kind == "array":
            return "[" + shape(schema["items"], enum)
        if enum is not None and kind == "string":
            return "=" + enum
        if kind == "object" and "additionalProperties" in schema:
            return "{" + shape(schema["additionalProperties"], None)
        return PLAIN.get(kind, "*")

    def named(name):
        schema = definitions[name]
        if "oneOf" in schema:
            return "I" if name.endswith("IntOrString") else "q"
        if "properties" not in schema:
            if kind_of(schema) == "object":
                return "*"
            return shape({k: v for k, v in schema.items() if k != "$ref"}, None)
        if name not in numbers:
            numbers[name] = len(lines)
            lines.append(None)
            required = schema.get("required", [])
            fields = []
            for field, inner in sorted(schema["properties"].items()):
                enum = next((key for key in ENUMS if f"{name}.{field}".endswith("." + key)), None)
                used.add(enum)
                # What a cluster writes is not what one sends to it.
                top = field == "status" and "x-kubernetes-group-version-kind" in schema
                of = "*" if top else shape(inner, ENUMS.get(enum))
                fields.append(f"{'!' if field in required else ''}{field}:{of}")
            lines[numbers[name]] = " ".join(fields)
        return str(numbers[name])

    kinds = []
    for name, schema in sorted(definitions.items()):
        for gvk in schema.get("x-kubernetes-group-version-kind", []):
            # Lists hold manifests of their own; options are no manifests.
            if gvk["kind"].endswith(("List", "Options")) or gvk["kind"] in ("WatchEvent", "Status"):
                continue
            kinds.append(f"{gvk['group']}/{gvk['version']} {gvk['kind']} {named(name)}")
    unknown = set(ENUMS) - used
    assert not unknown, f"not in the description: {sorted(unknown)}"
    print(f"kubernetes {version}", *kinds, "", *lines, sep="\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
