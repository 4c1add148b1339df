#!/usr/bin/env bash
# Run .ci/run and every longer check, except those of speed and those that need a GPU.
# It needs Python 3.11 and pip, takes about an hour on two cores, and continues after a failure.
# DEZERO_DATA=folder adds the tests on the real MNIST and on the recorded results of real CuPy.
set -uo pipefail
cd "$(dirname "$0")/.."

environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
python3 -m venv "$environment/venv"
export PATH="$environment/venv/bin:$PATH"
export HATCH_DATA_DIR="$environment/hatch"  # new environments: old ones may lack an entry point
pip install --quiet "hatch>=1.18"

failed=()
check() {
  echo "== $*"
  "$@" || failed+=("$*")
}

check .ci/run
check hatch test -m slow packages tests --ignore=tests/dist --ignore=packages/dezero-mpi --ignore=packages/dezero-onednn --ignore=packages/dezero-onnx
check hatch run shuffled:run
check hatch run onnx:run
check hatch run mpi:long
check hatch run conformance:run
check hatch run python -m dezero_testing.mutants
check hatch run reference:run
check hatch run book:check
check hatch run reliability:run --long
check hatch run cupy:check
check hatch run gpu-tools:check
check python scripts/matrix.py

echo "${#failed[@]} of these failed"
printf '%s\n' "${failed[@]}"
[ "${#failed[@]}" -eq 0 ]
