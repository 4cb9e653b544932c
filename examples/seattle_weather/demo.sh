#!/bin/sh
# Starts the stack, runs the example (which shows what the read model knows of it), stops the stack.
# Usage: demo.sh STEPLOG DATA_FOLDER; KEEP=1 in the environment leaves the stack running.
set -eu
steplog=$1
data=$2
here=examples/seattle_weather
id="weather-$(date +%Y%m%d-%H%M%S)"

export STEPLOG_DATA_DIR="$data"
export STEPLOG_STEP_MODULES='examples.*'
export PYTHONPATH="${PYTHONPATH:+$PYTHONPATH:}$PWD"

stop() { [ -n "${KEEP:-}" ] || "$steplog" down; }

"$steplog" up --detach
trap stop EXIT # Only now: a stack that ran here before is not ours to stop.
echo
"$steplog" run "$here/pipeline.json" --id "$id" --input '{"without": "fog"}' --wait

report="reports/seattle_weather/$id/report.md"
echo
echo "The report is $report, its plot stands beside it."
if [ -n "${KEEP:-}" ]; then
    echo "The stack runs on. Look further:"
    echo "  export STEPLOG_DATA_DIR=$data"
    echo "  $steplog status        what runs, and where the API answers"
    echo "  $steplog ls            executions"
    echo "  $steplog show $id"
    echo "  $steplog down          stop it"
else
    echo "To look further, keep it running: KEEP=1 make demo"
fi
