# Takes profile generations from a host that rests, by number, and then writes its boot menu anew. Sent whole, as the probe
# is, and then run apart from the connection: what it does must not end half-way because that goes. It prints what it does
# into the journal of its unit; how it went is in /nix/var/varve/tidied, `<seconds since the epoch> <failures in a row> <why>`.
set -u
umask 022
LC_ALL=C
PATH=/run/current-system/sw/bin:/usr/bin:/bin
system=$(readlink -e /run/current-system) && PATH=$system/sw/bin:/usr/bin:/bin
export LC_ALL PATH
state=/nix/var/varve
records=$state/records
roots=/nix/var/nix/gcroots/varve
profiles=/nix/var/nix/profiles
live=/run/varve

# --- over the connection: `data` holds what is to go, `program` this text ---------------------------------------------

unit() { # name, limit in seconds, program and its arguments: apart from us; waits for its end, but not for long
  name=$1 limit=$2
  shift 2
  if [ -d /run/systemd/system ]; then
    timeout 30 systemd-run --quiet --wait --collect --no-ask-password --unit="$name" --property=RuntimeMaxSec="$limit" \
      "$@" < /dev/null
  else
    timeout 30 setsid --wait timeout -k 10 "$limit" "$@" < /dev/null > /dev/null 2>&1
  fi
}

begin() {
  profile='' generation='' boot_menu=0 collect=0
  set --
  while IFS= read -r line; do
    value=${line#*=}
    case $line in
      profile=*) profile=$value ;;
      generation=*) generation=$value ;;
      bootMenu=1) boot_menu=1 ;;
      collect=1) collect=1 ;;
      drop=*) set -- "$@" "$value" ;;
    esac
  done <<END
$data
END
  mkdir -p "$live" "$state" && printf '%s\n' "$program" > "$live/tidy.new" && mv -f "$live/tidy.new" "$live/tidy" || exit 1
  # Where one is at it already, or does not end soon, the next probe tells.
  unit varve-tidy 1200 /bin/sh "$live/tidy" "$profile" "$generation" "$boot_menu" "$collect" "$@" 2> /dev/null
  exit 0
}

if [ -n "${program:-}" ]; then begin; fi

# --- apart from it ----------------------------------------------------------------------------------------------------

replace() { # file, content: durable, all or nothing
  printf '%s\n' "$2" > "$1.new" && sync "$1.new" && mv -f "$1.new" "$1" && sync "${1%/*}"
}
note() { # failures in a row, why
  replace "$state/tidied" "$(date +%s) $*"
}

# What was true when this was decided must be true still: then no number means another generation by now.
is_as_thought() {
  for record in "$records"/*; do
    [ -d "$record" ] || continue
    while read -r at event rest; do
      [ "$event" = end ] && continue 2
    done < "$record/journal"
    return 1
  done
  [ "$(readlink "$profiles/system")" = "system-$generation-link" ] && [ "$(readlink -e "$profiles/system")" = "$profile" ]
}

# Of the numbers those that are there, and without which what runs and what was booted keeps a generation; into $doomed.
find_doomed() {
  staying=' '
  for link in "$profiles"/system-*-link; do
    number=${link##*/system-} number=${number%-link}
    case " $* " in *" $number "*) ;; *) staying="$staying$(readlink "$link") " ;; esac
  done
  current=$(readlink -e /run/current-system)
  booted=$(readlink -e /run/booted-system)
  doomed=''
  for number; do
    held=$(readlink "$profiles/system-$number-link") || continue
    [ "$number" != "$generation" ] || continue
    case $held in "$current" | "$booted") case $staying in *" $held "*) ;; *) continue ;; esac ;; esac
    doomed="$doomed $number"
  done
}

prune() {
  failures=0
  [ -r "$state/tidied" ] && read -r at failures rest < "$state/tidied"
  find_doomed "$@"
  # Roots of deliveries that came to nothing. What was delivered just now may be about to be activated.
  for root in $(find "$roots" -maxdepth 1 -name 'd*' -mtime +0 2> /dev/null); do
    [ -d "$records/${root##*/}" ] || rm -rf "$root"
  done
  [ -n "$doomed" ] || [ "$boot_menu" = 1 ] || return 0
  # First: who dies in between leaves a boot menu that is written the next time.
  note $((failures + 1)) 'it did not come to its end'
  if [ -n "$doomed" ]; then
    echo "generations that go:$doomed"
    # shellcheck disable=SC2086 # a list
    timeout -k 10 120 nix-env --profile "$profiles/system" --delete-generations $doomed || {
      note $((failures + 1)) 'nix-env could not delete the profile generations'
      return 1
    }
  fi
  # Nothing is switched to: checks before a switch have no say in what the menu lists.
  NIXOS_NO_CHECK=1 timeout -k 10 600 "$profile/bin/switch-to-configuration" boot
  status=$?
  [ $status = 0 ] || {
    note $((failures + 1)) "the boot menu could not be written: switch-to-configuration boot ended with status $status"
    return 1
  }
  # Not every boot loader's installer does this for itself.
  for place in "$profiles" /boot /boot/efi /efi; do
    if [ -e "$place" ]; then sync -f "$place"; fi
  done
  note 0
}

# At most once an hour, whoever asks: it is ordered until a probe has told of it.
collect_garbage() {
  collected=0
  [ -r "$state/collected" ] && read -r collected < "$state/collected"
  now=$(date +%s)
  [ $((now - collected)) -ge 3600 ] || [ "$collected" -gt "$now" ] || return 0
  replace "$state/collected" "$now"
  if [ -d /run/systemd/system ]; then
    systemd-run --quiet --collect --no-ask-password --unit=varve-collect-garbage --property=RuntimeMaxSec=7200 \
      --property=Nice=10 --setenv=PATH="$PATH" nix-collect-garbage < /dev/null
  else
    setsid timeout -k 10 7200 nix-collect-garbage < /dev/null > /dev/null 2>&1 &
  fi
}

profile=$1 generation=$2 boot_menu=$3 collect=$4
shift 4
exec 9>> "$state/lock"
exec 8>> "$state/run.lock"
# Whoever has one of them is changing the host: the next probe sees to it. `lock` as well, so that no activation starts.
flock -n 9 && flock -n 8 || exit 0
is_as_thought 8>&- 9>&- || exit 0
prune "$@" 8>&- 9>&- || exit 1
exec 8>&- 9>&-
[ "$collect" = 0 ] || collect_garbage
