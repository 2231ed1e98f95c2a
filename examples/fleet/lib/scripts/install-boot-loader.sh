#!@shell@ sh
# Makes a toplevel the one that boots. The "boot loader" is the file /boot/default: it holds the toplevel's path. What else
# could be booted is in /boot/menu, a line for each profile generation with its number and its toplevel.
set -eu
PATH=@path@
export PATH

if [ @bootLoaderFails@ = yes ]; then
  echo 'the boot loader could not be installed, on purpose' >&2
  exit 1
fi

mkdir -p /boot
for link in /nix/var/nix/profiles/system-*-link; do
  [ -L "$link" ] || continue
  number=${link##*/system-}
  printf '%s %s\n' "${number%-link}" "$(readlink "$link")"
done | sort -n > /boot/menu.new
mv -T /boot/menu.new /boot/menu
printf '%s\n' "$1" > /boot/default.new
sync /boot/default.new
mv -T /boot/default.new /boot/default
sync -f /boot
