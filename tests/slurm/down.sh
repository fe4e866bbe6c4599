#!/usr/bin/env bash
# Stop what up.sh started in FOLDER, by the process numbers that it recorded, and remove the folder.
set -uo pipefail
folder=$1
[ -d "$folder" ] || { echo "$folder: nothing to stop."; exit 0; }
timeout 10 scancel --full --user root 2>/dev/null

stop() {
  [ -s "$1" ] || return 0
  local number
  number=$(cat "$1")
  kill "$number" 2>/dev/null || return 0
  for _ in $(seq 100); do kill -0 "$number" 2>/dev/null || return 0; sleep 0.1; done
  kill -9 "$number" 2>/dev/null
}

for pid in "$folder"/pid/slurmd-*.pid "$folder"/pid/{slurmctld,slurmdbd}.pid "$folder/mysql/pid" /run/munge/munged.pid; do
  stop "$pid"
done
for file in slurm gres cgroup slurmdbd; do
  [ "$(readlink /etc/slurm/$file.conf)" = "$folder/$file.conf" ] && rm "/etc/slurm/$file.conf"
done
rm -rf -- "$folder"
