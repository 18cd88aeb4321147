# Shows the checkout and var below /run in a mount namespace of its own, then becomes the command.
#   unshare --mount --propagation slave sh enter.sh CHECKOUT SEEN_CHECKOUT VAR SEEN_VAR COMMAND...
# Exit status 97: mounting is not possible here.
checkout=$1 seen_checkout=$2 var=$3 seen_var=$4
shift 4
mkdir -p "$seen_checkout" && chmod 755 /run/fleetdash "${seen_checkout%/*}" || exit 97
mount --rbind "$checkout" "$seen_checkout" || exit 97
case $seen_var in
    "$seen_checkout"/*) ;;
    *) mkdir -p "$seen_var" && mount --rbind "$var" "$seen_var" || exit 97 ;;
esac
cd "$seen_checkout" || exit 97
exec "$@"
