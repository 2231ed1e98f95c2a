#!@shell@ sh
# The second stage of booting: what the boot loader starts as process 1. It makes this toplevel the running system before
# systemd reads a single unit, then becomes systemd.
PATH=@path@
export PATH

mkdir -p /run/nixos /nix/var/nix/gcroots
ln -sfn @out@ /run/booted-system
ln -sfn /run/current-system /nix/var/nix/gcroots/current-system
ln -sfn /run/booted-system /nix/var/nix/gcroots/booted-system

NIXOS_ACTION=boot @out@/activate || echo "booting although activation failed with status $?" >&2

# systemd knows its own search path; this one would root a store path for as long as the machine runs.
unset PATH
exec /lib/systemd/systemd "$@"
