#!/usr/bin/env bash
# A separate Slurm on this one machine: munge, accounting, slurmctld and two nodes, n1 with a stand-in for a GPU.
#   tests/slurm/up.sh FOLDER     as root on Debian or Ubuntu; everything lives in FOLDER, which must not exist
#   tests/slurm/down.sh FOLDER   stops it and removes FOLDER
set -euo pipefail
folder=$1 here=$(hostname -s)
packages=(slurmctld slurmd slurm-client slurm-wlm-basic-plugins slurmdbd mariadb-server munge)

[ "$(id -u)" = 0 ] || { echo "Slurm's daemons need root." >&2; exit 2; }
[ ! -e "$folder" ] || { echo "$folder exists; run $(dirname "$0")/down.sh $folder first." >&2; exit 2; }
for file in slurm gres cgroup slurmdbd; do
  [ ! -e /etc/slurm/$file.conf ] && [ ! -L /etc/slurm/$file.conf ] || { echo "/etc/slurm/$file.conf exists: this machine has a Slurm already." >&2; exit 2; }
done
if ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # Keep the packages from starting their own daemons.
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  rm /usr/sbin/policy-rc.d
fi

wait_for() {
  for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
  echo "\`$*\` fails for 30 s; see $folder/log." >&2
  exit 1
}
decodes() { munge -n | unmunge; }
both_idle() { [ "$(sinfo -h -N -p cpu -t idle -o %N | sort -u | wc -l)" = 2 ]; }

mkdir -p "$folder"/{state,log,pid,mysql,spool/n1,spool/n2}
chmod 755 "$folder"

[ -s /etc/munge/munge.key ] || head -c 1024 /dev/urandom > /etc/munge/munge.key
chown munge:munge /etc/munge/munge.key && chmod 400 /etc/munge/munge.key
mkdir -p /run/munge && chown munge:munge /run/munge && chmod 755 /run/munge
munge -n >/dev/null 2>&1 || runuser -u munge -- /usr/sbin/munged
wait_for decodes

# Needs neither cgroups nor systemd: the accounting plugin watches memory and kills jobs that exceed their limit.
cat > "$folder/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$here(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/pid/slurmctld.pid
SlurmdPidFile=$folder/pid/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=5,batch_sched_delay=0,defer_batch
ReturnToService=0
KillWait=5
InactiveLimit=0
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
NodeName=n1 NodeHostname=$here NodeAddr=127.0.0.1 Port=17001 CPUs=$(getconf _NPROCESSORS_ONLN) RealMemory=$(awk '/MemTotal/ {print int($2 / 2300)}' /proc/meminfo) Gres=gpu:1
NodeName=n2 NodeHostname=$here NodeAddr=127.0.0.1 Port=17002 CPUs=$(getconf _NPROCESSORS_ONLN) RealMemory=$(awk '/MemTotal/ {print int($2 / 2300)}' /proc/meminfo)
PartitionName=cpu Nodes=n1,n2 Default=YES MaxTime=INFINITE
PartitionName=gpu Nodes=n1 MaxTime=INFINITE
CONF
# A GPU needs a device file; a terminal's is harmless.
echo "NodeName=n1 Name=gpu File=/dev/tty1" > "$folder/gres.conf"
printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nConstrainCores=no\nConstrainRAMSpace=no\nConstrainDevices=no\n' > "$folder/cgroup.conf"
cat > "$folder/slurmdbd.conf" <<CONF
AuthType=auth/munge
DbdHost=$here
DbdAddr=127.0.0.1
DbdPort=16819
SlurmUser=root
LogFile=$folder/log/slurmdbd.log
PidFile=$folder/pid/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=13306
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
CONF
chmod 600 "$folder/slurmdbd.conf"
mkdir -p /etc/slurm
for file in slurm gres cgroup slurmdbd; do
  ln -s "$folder/$file.conf" "/etc/slurm/$file.conf" # the executor plugin takes SLURM_CONF out of its jobs' environment
done

chown mysql:mysql "$folder/mysql"
mariadb-install-db --user=mysql --datadir="$folder/mysql" --auth-root-authentication-method=socket --skip-test-db \
  > "$folder/log/mariadb-install.log" 2>&1
setsid mariadbd --no-defaults --user=mysql --datadir="$folder/mysql" --socket="$folder/mysql/socket" \
  --pid-file="$folder/mysql/pid" --bind-address=127.0.0.1 --port=13306 --innodb-flush-log-at-trx-commit=0 \
  --innodb-lock-wait-timeout=900 > "$folder/log/mariadbd.log" 2>&1 &
wait_for mariadb-admin --socket="$folder/mysql/socket" ping
mariadb --socket="$folder/mysql/socket" -e "create database slurm_acct_db;
  create user slurm@'127.0.0.1' identified by 'slurm'; create user slurm@localhost identified by 'slurm';
  grant all on slurm_acct_db.* to slurm@'127.0.0.1'; grant all on slurm_acct_db.* to slurm@localhost;"
slurmdbd
wait_for sacctmgr -n show cluster
{ sacctmgr -i add cluster one && sacctmgr -i add account lab Cluster=one && sacctmgr -i add user root Account=lab; } >/dev/null

slurmctld
slurmd -N n1
slurmd -N n2
wait_for both_idle
