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

/**
 * As root. In: what is to be rooted. Out: `rooted`. A garbage collection that begins after the links are made spares what
 * they lead to. One that has read the roots by then is told of it by `--realise`, which makes of a path a temporary root
 * before it looks whether it is valid, so that what it says stays true. (Nix 2.5 and later tell that collection, which
 * keeps it in mind to its end; older ones wait for that.) Nothing is fetched or built for it. Roots of deployments that
 * never came to an activation are dropped, but for the last few.
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
complaint=$(nix-store --option substitute false --realise "$@" 2>&1 > /dev/null) || {
  printf "%s\\n" "$complaint" >&2
  exit 1
}
kept=0
ls -1t "$roots" | while IFS= read -r other; do
  case $other in d*[!0-9a-z]* | [!d]*) continue ;; esac
  [ -e "/nix/var/varve/records/$other" ] && continue
  kept=$((kept + 1))
  [ "$kept" -le 5 ] || rm -rf "$roots/$other"
done
echo rooted`;

/**
 * In: what is to be rooted, then Nix's daemon protocol. Out: `rooted` if it was there already, and that is all (a path
 * that is valid has all that it references); otherwise `free <blocks> <bytes of a block> <filesystem>`, the lines of
 * nix.conf that make room, `zstd` if the host has it, `ready`, and what the daemon says.
 */
export const controlCommand = asUser(
  `${path}
${readWanted}
all_there() {
  IFS= read -r id
  while read -r name store_path; do [ -e "$store_path" ] || return 1; done
}
printf %s "$wanted" | all_there && printf %s "$wanted" | as_root && exit 0
for folder in /nix/store /nix; do stat -f -c "free %a %S %T" $folder 2> /dev/null && break; done
grep -Es "^ *(min-free|auto-optimise-store) *=" "\${NIX_CONF_DIR:-/etc/nix}/nix.conf"
command -v zstd > /dev/null && echo zstd
echo ready
exec nix-daemon --stdio`,
  rootScript,
);

/** What makes a daemon end once it has done all that came before: no path is called so. */
const goodbye = String.raw`printf "\001\000\000\000\000\000\000\000\003\000\000\000\000\000\000\000bye\000\000\000\000\000"`;

/** Ends processes, but for those that ended before: their numbers may be those of others by now. */
const endOurs = `end_ours() {
  for pid in "$@"; do
    grep -q "^PPid:.$$\\$" /proc/$pid/status && kill $pid
  done 2> /dev/null
}`;

/**
 * Ends what runs for a push that nobody waits for any more: a daemon holds the lock of the path that it is given, and the
 * next push would wait for it. A line that has died is told by the empty line that cannot be said; one that only seems to
 * be there, by nothing having come for longer than the worker is patient (which says so sooner). A daemon that has died
 * is told too, by the end of it all; one that was done is not: whoever has waited for it ends this first. Whether something
 * has come is seen by the reader having slept and been woken: how much it has read is known to some kernels only.
 */
const watchOver = `(
  trap "" PIPE
  quiet=0
  before=
  while sleep 2 2> /dev/null && echo >&2 && [ $quiet -lt "$patience" ]; do
    kill -0 $daemon 2> /dev/null || {
      sleep 2 2> /dev/null
      break
    }
    now=$(grep ctxt /proc/$reader/status 2> /dev/null)
    quiet=$((quiet + 2))
    [ "$now" = "$before" ] || quiet=0
    before=$now
  done
  kill $$
) < /dev/null > /dev/null 3>&- 4<&- &
watcher=$!`;

/**
 * In: `zstd` or `plain` and for how many seconds nothing may come, what is to be rooted, then Nix's daemon protocol,
 * compressed or not. Out: what the daemon says; after the end of the input `rooted`. On standard error also an empty line
 * now and then.
 *
 * A daemon whose input ends drops what it has not done yet (it takes that for an interrupt), and a decompressor keeps the
 * last bytes to itself until its own input ends. So the daemon reads from a pipe that this shell keeps open, and the
 * shell says goodbye for us. A decompressor that was cut off in the middle says so. One that was cut off between two
 * frames does not: the daemon then takes the goodbye for a part of what it was given, and waits for the rest of it until
 * the watch ends it.
 */
export const dataCommand = asUser(
  `${path}
read -r how patience || exit 0
${readWanted}
${endOurs}
folder=$(mktemp -d -p /run 2> /dev/null || mktemp -d) || exit 1
mkfifo -m 600 "$folder/in" || exit 1
nix-daemon --stdio < "$folder/in" &
daemon=$!
trap "end_ours $daemon" EXIT
exec 3> "$folder/in" 4<&0
rm -r "$folder"
trap exit PIPE TERM
if [ "$how" = zstd ]; then zstd -dcq <&4 >&3 & else cat <&4 >&3 & fi
reader=$!
${watchOver}
trap "end_ours $daemon $reader $watcher" EXIT
wait $reader || exit 1
if [ "$how" = zstd ]; then
  ${goodbye} >&3 || exit 1
  wait $daemon
  end_ours $watcher
else
  end_ours $watcher $daemon
fi
exec 3>&-
printf %s "$wanted" | as_root`,
  rootScript,
);
