/**
 * What runs on a host during a push. Constants: data comes on standard input. No single quotes, since a script is
 * sent as one quoted argument of the remote shell.
 */

const path = 'PATH=$PATH:/run/current-system/sw/bin:/usr/bin:/bin; export PATH; LC_ALL=C; export LC_ALL';

/** In: store paths. Out: `free <blocks> <bytes of a block>`, the paths that are not valid here, `checked`. */
export const queryScript = `${path}
for folder in /nix/store /nix; do stat -f -c "free %a %S" $folder 2> /dev/null && break; done
xargs nix-store --check-validity --print-invalid && echo checked`;

/**
 * In: the deployment, then lines of a root's name and its path. Roots them, and then looks whether they are valid, so
 * that no garbage collection comes in between. Out: the paths that are not, `rooted`. Roots of deployments that never
 * came to an activation are dropped, but for the last few.
 */
export const rootScript = `${path}
set -u
umask 022
roots=/nix/var/nix/gcroots/varve
records=/nix/var/varve/records
IFS= read -r id || exit 1
mkdir -p "$roots/$id" || exit 1
set --
while read -r name store_path; do
  ln -sfn "$store_path" "$roots/$id/$name" || exit 1
  set -- "$@" "$store_path"
done
nix-store --check-validity --print-invalid "$@" || exit 1
kept=0
ls -1t "$roots" | while IFS= read -r other; do
  case $other in d*[!0-9a-z]* | [!d]*) continue ;; esac
  [ -e "$records/$other" ] && continue
  kept=$((kept + 1))
  [ "$kept" -le 5 ] || rm -rf "$roots/$other"
done
echo rooted`;
