# What a workload on Kubernetes may not do, and what it must say.
package fleet.policy.kubernetes

rules := {
	"k8s/privileged": {
		"severity": "high",
		"title": "A privileged container",
		"explanation": "A container with `privileged: true`, or with the capability ALL or SYS_ADMIN, can do to its node what root can. Name the one capability it needs. Init containers count.",
		"catches": `~~~yaml
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: example.com/a:1.0.0
      securityContext:
        privileged: true
~~~`,
		"passes": `~~~yaml
apiVersion: v1
kind: Pod
metadata: {name: a, annotations: {note: "not privileged: true"}}
spec:
  containers:
    - name: a
      image: example.com/a:1.0.0
      securityContext: {privileged: false, capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}
~~~`,
	},
	"k8s/host-namespace": {
		"severity": "high",
		"title": "A namespace of the host",
		"explanation": "With `hostPID`, `hostNetwork` or `hostIPC` a pod sees the processes, the network or the shared memory of its node and of everything else on it.",
		"catches": `~~~yaml
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: a}
spec:
  template:
    spec:
      hostPID: true
      containers:
        - {name: a, image: "example.com/a:1.0.0"}
~~~`,
		"passes": `~~~yaml
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: a}
spec:
  template:
    spec:
      hostPID: false
      # hostNetwork: true
      containers:
        - {name: a, image: "example.com/a:1.0.0"}
~~~`,
	},
	"k8s/latest-image": {
		"severity": "medium",
		"title": "An image without a version",
		"explanation": "`latest`, or no tag, is another image tomorrow: nobody can say what runs, nor go back to it. A tag or a digest is fine; a name that a template fills in is not looked at.",
		"catches": `~~~yaml
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - {name: a, image: "registry.example.com:5000/a"}
~~~`,
		"passes": `~~~yaml
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - {name: a, image: "registry.example.com:5000/a:1.2"}
    - {name: b, image: "example.com/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
~~~`,
	},
	"k8s/no-limits": {
		"severity": "medium",
		"title": "A container without limits",
		"explanation": "Without `resources.limits` one container can take the memory and the time of everything on its node. Any limit is taken; init containers are not looked at.",
		"catches": `~~~yaml
apiVersion: batch/v1
kind: Job
metadata: {name: a}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: a
          image: example.com/a:1.0.0
          resources: {requests: {cpu: 100m}}
~~~`,
		"passes": `~~~yaml
apiVersion: batch/v1
kind: Job
metadata: {name: a}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: a
          image: example.com/a:1.0.0
          resources: {limits: {memory: 64Mi}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {containers: none}
~~~`,
	},
	"k8s/runs-as-root": {
		"severity": "medium",
		"title": "A container that may run as root",
		"explanation": "The container has user 0, or nothing (`runAsNonRoot: true` or another `runAsUser`, of the pod or of the container) keeps it from being root, which most images are. An init container counts where it says user 0.",
		"catches": `~~~yaml
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - {name: a, image: "example.com/a:1.0.0"}
~~~`,
		"passes": `~~~yaml
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  securityContext: {runAsNonRoot: true}
  containers:
    - {name: a, image: "example.com/a:1.0.0"}
~~~`,
	},
	"k8s/no-probes": {
		"severity": "medium",
		"title": "A service without probes",
		"explanation": "A container of a Deployment, StatefulSet or DaemonSet has neither a liveness nor a readiness probe, so that nobody notices when it hangs and requests go to it before it can answer. Jobs, bare pods and init containers need none.",
		"catches": `~~~yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    spec:
      containers:
        - {name: a, image: "example.com/a:1.0.0"}
~~~`,
		"passes": `~~~yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  template:
    spec:
      containers:
        - {name: a, image: "example.com/a:1.0.0", readinessProbe: {tcpSocket: {port: 80}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: b}
spec: {template: {spec: {containers: [{name: b, image: "example.com/b:1.0.0"}]}}}
~~~`,
	},
}

long_running := {"Deployment", "StatefulSet", "DaemonSet"}

templated := {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"}

# The manifests, those in lists among them.
manifests contains {"part": i, "manifest": manifest} if {
	some i, part in input.parts
	some manifest in part.document
	is_string(manifest.kind)
}

manifests contains {"part": i, "manifest": manifest} if {
	some i, part in input.parts
	some list in part.document
	list.kind == "List"
	some manifest in list.items
	is_string(manifest.kind)
}

# The pods they make.
pods contains {"part": m.part, "kind": "Pod", "name": name(m.manifest), "spec": m.manifest.spec} if {
	some m in manifests
	m.manifest.kind == "Pod"
	is_object(m.manifest.spec)
}

pods contains {"part": m.part, "kind": m.manifest.kind, "name": name(m.manifest), "spec": m.manifest.spec.template.spec} if {
	some m in manifests
	m.manifest.kind in templated
	is_object(m.manifest.spec.template.spec)
}

pods contains {"part": m.part, "kind": "CronJob", "name": name(m.manifest), "spec": m.manifest.spec.jobTemplate.spec.template.spec} if {
	some m in manifests
	m.manifest.kind == "CronJob"
	is_object(m.manifest.spec.jobTemplate.spec.template.spec)
}

name(manifest) := manifest.metadata.name if {
	is_string(manifest.metadata.name)
} else := manifest.metadata.generateName if {
	is_string(manifest.metadata.generateName)
} else := ""

# Their containers.
containers contains {"pod": pod, "name": called(container), "init": false, "container": container} if {
	some pod in pods
	some container in pod.spec.containers
	is_object(container)
}

containers contains {"pod": pod, "name": called(container), "init": true, "container": container} if {
	some pod in pods
	some container in pod.spec.initContainers
	is_object(container)
}

called(container) := container.name if {
	is_string(container.name)
} else := "?"

# Where a container is spoken of: its manifest, itself, and what it says.
place(c, what) := [sprintf("kind: %s", [c.pod.kind]), sprintf("name: %s", [c.pod.name]), sprintf("name: %s", [c.name]), what]

deny contains fault if {
	some c in containers
	c.container.securityContext.privileged == true
	fault := {"id": "k8s/privileged", "severity": "high", "message": sprintf("the container %s is privileged: it can do to its node what root can", [c.name]), "part": c.pod.part, "at": place(c, "privileged: true")}
}

deny contains fault if {
	some c in containers
	some capability in c.container.securityContext.capabilities.add
	capability in {"ALL", "SYS_ADMIN", "CAP_SYS_ADMIN"}
	fault := {"id": "k8s/privileged", "severity": "high", "message": sprintf("the container %s has the capability %s: it can do to its node what root can", [c.name, capability]), "part": c.pod.part, "at": place(c, capability)}
}

deny contains fault if {
	some pod in pods
	some field in ["hostPID", "hostNetwork", "hostIPC"]
	pod.spec[field] == true
	fault := {"id": "k8s/host-namespace", "severity": "high", "message": sprintf("%s: the pod shares a namespace of its node", [field]), "part": pod.part, "at": [sprintf("kind: %s", [pod.kind]), sprintf("name: %s", [pod.name]), sprintf("%s: true", [field])]}
}

deny contains fault if {
	some c in containers
	image := c.container.image
	is_string(image)
	not regex.match(`[$<{]`, image)
	not contains(image, "@")
	words := split(image, "/")
	last := words[count(words) - 1]
	unversioned(last)
	fault := {"id": "k8s/latest-image", "severity": "medium", "message": sprintf("the image %s of %s has no version", [image, c.name]), "part": c.pod.part, "at": place(c, sprintf("image: %s", [image]))}
}

unversioned(image) if not contains(image, ":")

unversioned(image) if endswith(image, ":latest")

deny contains fault if {
	some c in containers
	not c.init
	not limited(c.container)
	fault := {"id": "k8s/no-limits", "severity": "medium", "message": sprintf("the container %s has no limits", [c.name]), "part": c.pod.part, "at": place(c, "")}
}

limited(container) if {
	some _, value in container.resources.limits
	value != null
}

deny contains fault if {
	some c in containers
	user(c) == 0
	fault := {"id": "k8s/runs-as-root", "severity": "medium", "message": sprintf("the container %s runs as user 0", [c.name]), "part": c.pod.part, "at": place(c, "runAsUser: 0")}
}

deny contains fault if {
	some c in containers
	not c.init
	not user(c)
	not non_root(c)
	fault := {"id": "k8s/runs-as-root", "severity": "medium", "message": sprintf("nothing keeps the container %s from running as root", [c.name]), "part": c.pod.part, "at": place(c, "")}
}

# The user a container has, if anything says so; its own word counts over its pod's.
user(c) := c.container.securityContext.runAsUser if {
	is_number(c.container.securityContext.runAsUser)
} else := c.pod.spec.securityContext.runAsUser if {
	is_number(c.pod.spec.securityContext.runAsUser)
}

non_root(c) if c.container.securityContext.runAsNonRoot == true

non_root(c) if {
	c.pod.spec.securityContext.runAsNonRoot == true
	not c.container.securityContext.runAsNonRoot == false
}

deny contains fault if {
	some c in containers
	c.pod.kind in long_running
	not c.init
	not c.container.livenessProbe
	not c.container.readinessProbe
	fault := {"id": "k8s/no-probes", "severity": "medium", "message": sprintf("the container %s has no probes", [c.name]), "part": c.pod.part, "at": place(c, "")}
}
