"""The extensions of KServe v2 that both of its doors have, by the names that Triton gives them.

Source: https://github.com/triton-inference-server/server/tree/main/docs/protocol
"""

EXTENSIONS = (
    "classification",
    "logging",
    "model_configuration",
    "model_repository",
    "model_repository(unload_dependents)",
    "parameters",
    "schedule_policy",
    "sequence",
    "statistics",
    "system_shared_memory",
    "trace",
)
