#!/usr/bin/env bash
# run.sh TASK [ARGUMENTS]: what the npm scripts call. Installs and builds what is missing, then hands over to the task's program.
set -euo pipefail
. "$(dirname "$0")/common.sh"
cd "$ROOT"
task=$1
shift

echo "Preparing (installed and built once, then reused):"
bash scripts/bootstrap.sh "$task"
case $task in
  demo)
    bash scripts/build.sh
    exec node ts/lab/src/main.ts demo "$@"
    ;;
  cluster)
    bash test/kubernetes/build.sh
    bash scripts/build.sh
    bash scripts/image.sh
    exec node ts/lab/src/main.ts cluster "$@"
    ;;
  test | long)
    [ "$task" = test ] || set -- --long "$@"
    # Minutes when it is cold, and only one tier is about it.
    case " $* " in *" cluster "* | *"--tier=cluster "*) bash test/kubernetes/build.sh ;; *" --tier"*) ;; *) bash test/kubernetes/build.sh ;; esac
    bash scripts/build.sh
    case " $* " in *" daemon "* | *"--tier=daemon "*) bash scripts/build-other-layout.sh ;; *" --tier"*) ;; *) bash scripts/build-other-layout.sh ;; esac
    exec node test/runner/main.ts "$@"
    ;;
  restarts)
    bash scripts/build.sh
    bash scripts/build-other-layout.sh
    path=stack record=layouts
    if [ "${1:-}" = --fast ]; then
      path=fast record=layouts.fast
      shift
    fi
    export TERWAY_TEST_ROUNDS=${1:-100} TERWAY_TEST_PATH=$path TERWAY_TEST_RECORD=test/daemon/results/$record.json
    exec npx vitest run --project=daemon test/daemon/layouts.test.ts
    ;;
  admission)
    bash test/kubernetes/build.sh
    bash scripts/build.sh
    export TERWAY_TEST_SAMPLES=${1:-200} TERWAY_TEST_RECORD=test/cluster/results/admission.json
    exec npx vitest run --project=cluster test/cluster/policy-feed.test.ts
    ;;
  e2e)
    bash test/kubernetes/build.sh
    bash test/e2e/programs/build.sh
    bash scripts/build.sh
    exec node test/e2e/main.ts "$@"
    ;;
  scale)
    bash test/kubernetes/build.sh
    bash scripts/build.sh
    exec node test/scale/main.ts "$@"
    ;;
  chaos)
    bash test/kubernetes/build.sh
    bash scripts/build.sh
    exec node test/chaos/main.ts "$@"
    ;;
  kernels)
    bash scripts/build.sh
    node test/vm/run.ts --suite a --here --record "$@" || code=$?
    node scripts/generate.ts
    exit "${code:-0}"
    ;;
  conformance)
    bash scripts/build.sh
    exec node test/conformance-policy/main.ts "$@"
    ;;
  bench)
    bash scripts/build.sh
    exec node bench/main.ts "$@"
    ;;
  image)
    bash scripts/build.sh
    exec bash scripts/image.sh "$@"
    ;;
  lint)
    step "kernel programs (Rust, eBPF)" bash scripts/build-ebpf.sh
    exec node test/runner/main.ts --tier static "$@"
    ;;
  format)
    biome check --write .
    cargo fmt --all
    (cd ebpf && cargo fmt)
    ;;
  generate) exec node scripts/generate.ts "$@" ;;
  *) die "unknown task $task" ;;
esac
