import { asUser } from '../ssh/remote-shell.ts';

/**
 * What runs on a host during a push: constants, data comes on standard input. Both wait for their first line, so that
 * they can be started before there is anything to push.
 */

const path = 'PATH=$PATH:/run/current-system/sw/bin:/usr/bin:/bin; export PATH; LC_ALL=C; export LC_ALL';

/** Reads what is to be rooted: the deployment, lines of a root's name and its path, and a line with a dot. */
const readWanted = `wanted=
while IFS= read -r line && [ "$line" != . ]; do
  wanted="$wanted$line
"
done
[ "$line" = . ] || exit 1`;

/** Roots of deployments that never came to an activation are dropped, but for the last few. */
const tidy = `kept=0
ls -1t "$roots" | while IFS= read -r other; do
  case $other in d*[!0-9a-z]* | [!d]*) continue ;; esac
  [ -e "/nix/var/varve/records/$other" ] && continue
  kept=$((kept + 1))
  [ "$kept" -le 5 ] || rm -rf "$roots/$other"
done
echo rooted`;

/**
 * As root. In: what is to be rooted. Whatever a root holds is valid, and no Nix is needed to know it: if that is so of
 * all, they are rooted for the deployment too.
 */
const holdScript = `PATH=/run/current-system/sw/bin:/usr/bin:/bin
roots=/nix/var/nix/gcroots/varve
held=$(readlink /nix/var/nix/profiles/system-*-link "$roots"/guard "$roots"/*/* 2> /dev/null)
IFS= read -r id || exit 1
set --
while read -r name store_path; do
  case "
$held
" in *"
$store_path
"*) ;; *) exit 1 ;; esac
  [ -e "$store_path" ] || exit 1
  set -- "$@" "$name" "$store_path"
done
umask 022
mkdir -p "$roots/$id" || exit 1
while [ $# -gt 0 ]; do
  ln -sfn "$2" "$roots/$id/$1" || exit 1
  shift 2
done
${tidy}`;

/**
 * As root. In: what is to be rooted. Roots it, and then looks whether it is valid, so that no garbage collection comes in
 * between. Out: the paths that are not, `rooted`.
 */
const rootScript = `${path}
set -u
umask 022
roots=/nix/var/nix/gcroots/varve
IFS= read -r id || exit 1
mkdir -p "$roots/$id" || exit 1
set --
while read -r name store_path; do
  ln -sfn "$store_path" "$roots/$id/$name" || exit 1
  set -- "$@" "$store_path"
done
nix-store --check-validity --print-invalid "$@" || exit 1
${tidy}`;

/**
 * In: what is to be rooted, then Nix's daemon protocol. Out: \`rooted\` if it was there already, and that is all;
 * otherwise \`free <blocks> <bytes of a block>\`, \`zstd\` if the host has it, \`ready\`, and what the daemon says.
 */
export const controlCommand = asUser(
  `${path}
${readWanted}
printf %s "$wanted" | as_root && exit 0
for folder in /nix/store /nix; do stat -f -c "free %a %S" $folder 2> /dev/null && break; done
command -v zstd > /dev/null && echo zstd
echo ready
exec nix-daemon --stdio`,
  holdScript,
);

/** What makes a daemon end once it has done all that came before: no path is called so. */
const goodbye = String.raw`printf "\001\000\000\000\000\000\000\000\003\000\000\000\000\000\000\000bye\000\000\000\000\000"`;

/**
 * In: \`zstd\` or \`plain\`, what is to be rooted, then Nix's daemon protocol, compressed or not. Out: what the daemon says;
 * after the end of the input \`rooted\`.
 *
 * A daemon whose input ends drops what it has not done yet (it takes that for an interrupt), and a decompressor keeps the
 * last bytes to itself until its own input ends. So the daemon reads from a pipe that this shell keeps open, and the
 * shell says goodbye for us. A decompressor that was cut off in the middle says so; one that was cut off between two
 * frames does not, but then nobody is there any more to write to.
 */
export const dataCommand = asUser(
  `${path}
IFS= read -r how || exit 0
${readWanted}
folder=$(mktemp -d -p /run 2> /dev/null || mktemp -d) || exit 1
mkfifo -m 600 "$folder/in" || exit 1
nix-daemon --stdio < "$folder/in" &
daemon=$!
trap "kill $daemon 2> /dev/null" EXIT
exec 3> "$folder/in"
rm -r "$folder"
trap exit PIPE
if [ "$how" = zstd ]; then
  zstd -dcq >&3 && echo received >&2 && ${goodbye} >&3 || exit 1
  wait $daemon
else
  cat >&3 && echo received >&2 || exit 1
  kill $daemon
fi
exec 3>&-
printf %s "$wanted" | as_root`,
  rootScript,
);
