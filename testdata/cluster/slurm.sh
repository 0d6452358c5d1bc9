#!/bin/bash
# Runs an array of 8 tasks of a real Slurm, a controller and two nodes' daemons on this machine, over a claim's grid, and compares
# the cells with those of one process. Needs Debian's slurmctld, slurmd, slurm-client and munge, and root (munge's key).
#
#   testdata/cluster/slurm.sh [CLAIM]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
claim=${1:-thesis}
work=$(mktemp -d)
finish() {
	for pid in "$work"/*.pid; do [ ! -e "$pid" ] || kill "$(cat "$pid")" 2>/dev/null || true; done
	sleep 1
	rm -rf "$work"
}
trap finish EXIT
(cd "$here/../.." && go build -o "$work/demo" ./cmd/demo)
pgrep munged >/dev/null || { mkdir -p /run/munge && chown munge /run/munge && runuser -u munge -- munged; }
host=$(hostname -s)
mkdir "$work/state" "$work/n1" "$work/n2"
cat >"$work/slurm.conf" <<CONF
ClusterName=loop
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
AuthType=auth/munge
CryptoType=crypto/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/%n
SlurmctldPidFile=$work/controller.pid
SlurmdPidFile=$work/%n.pid
SlurmctldLogFile=$work/controller.log
SlurmdLogFile=$work/%n.log
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=17001
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=17002
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$work/slurm.conf
slurmctld
slurmd -N n1
slurmd -N n2
cd "$work"
for _ in $(seq 30); do [ "$(sinfo -h -o %T)" = idle ] && break || sleep 1; done
DEMO=$work/demo CELLS=$work/cells sbatch --wait "$here/grid.sbatch" "$claim"
grep -h "part" slurm-*.out
./demo run "$claim" -cache= -out one >/dev/null
./demo run "$claim" -cache cells -out all | grep "kept by an earlier run"
cells() { sed -n 's/,"seconds":[^,}]*//p' "$1/metrics.jsonl" | sort; }
diff <(cells one) <(cells all)
echo "8 tasks on 2 nodes: $(cells all | wc -l) cells, equal to those of one process"
