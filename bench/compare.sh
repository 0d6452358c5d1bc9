#!/usr/bin/env bash
# Benchmarks of arch, graph, train, infer and the kernels against the stored ones, by benchstat. It fails if a row is more than 3 %
# slower and the difference is significant (p < 0.05, as benchstat says).
#
#   bench/compare.sh              measures and compares with bench/baseline.txt (half an hour on a quiet machine)
#   bench/compare.sh new.txt      compares a file of results
#   bench/compare.sh -record      measures and replaces bench/baseline.txt
#
# BASELINE=old.txt takes another baseline, COUNT=5 fewer runs than 10, BENCHTIME=1s longer ones than 0.2 s, BENCH='StateGrad|Descend' rows.
# Figures of another processor say nothing: record a baseline there first, at the commit to compare with.
set -euo pipefail
cd "$(dirname "$0")/.."
baseline=${BASELINE:-bench/baseline.txt}
packages="./arch ./graph ./train ./infer ./internal/kernel"

measure() {
	printf 'commit: %s\n' "$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)$(git diff --quiet HEAD 2>/dev/null || echo +dirty)"
	printf 'machine: %s, %s cores, %s\n' "$(uname -srm)" "$(getconf _NPROCESSORS_ONLN)" "$(go version | cut -d' ' -f3)"
	# One run of every row after the other, so that what else the machine does falls on all rows alike.
	for _ in $(seq "${COUNT:-10}"); do
		# shellcheck disable=SC2086
		go test -run '^$' -bench "${BENCH:-.}" -benchtime "${BENCHTIME:-0.2s}" $packages | grep -E '^(goos|goarch|pkg|cpu|Benchmark)' || true
	done
}

case ${1:-} in
-record)
	measure >"$baseline.new"
	mv "$baseline.new" "$baseline"
	echo "recorded $(grep -c ^Benchmark "$baseline") runs in $baseline"
	exit 0
	;;
"")
	new=$(mktemp)
	trap 'rm -f "$new"' EXIT
	measure >"$new"
	;;
*) new=$1 ;;
esac

[ -e "$baseline" ] || { echo "there is no $baseline: record one first, on a quiet machine (bench/compare.sh -record)" >&2; exit 2; }
cpu() { sed -n 's/^cpu: //p' "$1" | sort -u; }
if [ "$(cpu "$baseline")" != "$(cpu "$new")" ]; then
	echo "the baseline is of $(cpu "$baseline"), this is $(cpu "$new"): record one here first (bench/compare.sh -record)" >&2
	exit 2
fi
benchstat() { go tool -modfile=.ci/tools.mod benchstat -ignore commit,machine -filter '.unit:sec/op' "$@" "$baseline" "$new"; }
benchstat
# In CSV a row is name, old, its spread, new, its spread, change ("~" if it is not significant), p.
slower=$(benchstat -format csv 2>/dev/null | awk -F, 'NF >= 7 && $6 ~ /^\+/ { if (substr($6, 2) + 0 > 3 && $1 != "geomean") print "  " $1 " " $6 " (" $7 ")" }')
if [ -n "$slower" ]; then
	printf '\nslower by more than 3 %%:\n%s\n' "$slower" >&2
	exit 1
fi
echo "no row is more than 3 % slower"
