# Becomes a guest's qemu. The process keeps its number from here to qemu, so what is recorded first
# stays true: a guest is never lost, whatever becomes of the one who started it.
#   sh spawn.sh RECORD CGROUP_PROCS OOM_SCORE_ADJ FILE_LIMIT COMMAND [ARGUMENT ...]
set -eu
record=$1 cgroup_procs=$2 oom_score_adj=$3 file_limit=$4
shift 4
umask 077

read -r boot_id </proc/sys/kernel/random/boot_id
read -r stat <"/proc/$$/stat"
find_start_time() {
    # field 22; the name, field 2, may hold spaces: count from its closing bracket
    set -f
    set -- ${1##*) }
    shift 19
    start_time=$1
}
find_start_time "$stat"
echo "$boot_id $$ $start_time" >"$record.new"
mv "$record.new" "$record"

if [ -n "$cgroup_procs" ]; then
    echo "$$" >"$cgroup_procs"
fi
# the kernel shall take a guest before the dashboard
echo "$oom_score_adj" >"/proc/$$/oom_score_adj"
# a core file would hold the guest's secret; the other bounds overlay and log (512-byte blocks)
ulimit -c 0
ulimit -f "$file_limit"
exec "$@"
