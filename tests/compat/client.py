"""A client as it was before this server: it knows only what orchestrator_spec.proto holds.

  client.py ADDRESS GENERATED

GENERATED is the directory with the code that grpc_tools.protoc made of orchestrator_spec.proto. Prints
what it got as one JSON object.
"""
import json
import sys
import time

import grpc

address, generated = sys.argv[1:]
sys.path.insert(0, generated)
import orchestrator_spec_pb2 as pb
import orchestrator_spec_pb2_grpc as pb_grpc

stub = pb_grpc.OrchestratorServiceStub(grpc.insecure_channel(address))

request = pb.DeliberateRequest(
    task_description="Write a Python function that returns n factorial",
    role="DEV",
    constraints=pb.TaskConstraints(
        rubric="Correct first, then short",
        requirements=["No recursion", "Tests"],
        metadata={"ticket": "42"},
        max_iterations=3,
        timeout_seconds=120,
    ),
    rounds=1,
    num_agents=3,
)
submitted = stub.Deliberate(request, timeout=60)
# The earliest clients find the id of their task in the metadata.
task_id = submitted.metadata.execution_id
deadline = time.monotonic() + 60
while True:
    result = stub.GetDeliberationResult(pb.GetDeliberationResultRequest(task_id=task_id), timeout=60)
    if result.status > pb.DELIBERATION_STATUS_IN_PROGRESS or time.monotonic() > deadline:
        break
    time.sleep(0.05)


def shown(results):
    return [
        {
            "author_id": r.proposal.author_id,
            "author_role": r.proposal.author_role,
            "content": r.proposal.content,
            "created_at_ms": r.proposal.created_at_ms,
            "revisions": len(r.proposal.revisions),
            "lint_passed": r.checks.HasField("lint") and r.checks.lint.passed,
            "ran": [name for name in ("policy", "lint", "dryrun") if r.checks.HasField(name)],
            "all_passed": r.checks.all_passed,
            "score": r.score,
            "rank": r.rank,
        }
        for r in results
    ]


def refusal(call, request):
    try:
        call(request, timeout=60)
    except grpc.RpcError as error:
        return {"code": error.code().name, "details": error.details()}


# Whoever does not know a task_id cannot attach: the same request again is another task.
updates = list(stub.StreamDeliberation(request, timeout=60))

councils = stub.ListCouncils(pb.ListCouncilsRequest(include_agents=True), timeout=60).councils
status = stub.GetStatus(pb.GetStatusRequest(include_stats=True), timeout=60)
metrics = stub.GetMetrics(pb.GetMetricsRequest(metric_type="all"), timeout=60)
json.dump(
    {
        "submitted": {
            "task_id": task_id,
            "results": shown(submitted.results),
            "winner_id": submitted.winner_id,
            "version": submitted.metadata.orchestrator_version,
        },
        "result": {
            "task_id": result.task_id,
            "status": pb.DeliberationStatus.Name(result.status),
            "results": shown(result.results),
            "winner_id": result.winner_id,
            "duration_ms": result.duration_ms,
            "error_message": result.error_message,
            "tags": dict(result.metadata.tags),
        },
        "updates": [
            {
                "status": u.status,
                "progress": u.progress_percent,
                "step": u.current_step,
                "agent": u.current_agent,
                "content": u.partial_result.proposal.content,
                "rank": u.partial_result.rank,
            }
            for u in updates
        ],
        "councils": {c.role: [a.agent_id for a in c.agents] for c in councils},
        "status": status.status,
        "role_counts": dict(status.stats.role_counts),
        "unknown": refusal(stub.GetDeliberationResult, pb.GetDeliberationResultRequest(task_id="nothing")),
        "empty": refusal(stub.Deliberate, pb.DeliberateRequest(role="DEV")),
        "health": {role: council.status for role, council in metrics.councils.health_per_council.items()},
        "not_yet": refusal(stub.DeriveSubtasks, pb.DeriveSubtasksRequest()),
    },
    sys.stdout,
)
