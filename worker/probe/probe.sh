# Sent to a host whole, since a host that Varve never touched has nothing of ours. `data` holds `key=value` lines of what to
# do; the answer is one JSON object on stdout.
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

escape() { # into $escaped; most strings have nothing to escape
  escaped=$1
  case $escaped in *[\\\"]* | *[[:cntrl:]]*) ;; *) return ;; esac
  escaped=$(printf %s "$escaped" | tr -c '[:print:]\200-\377' ' ' | sed 's/[\\"]/\\&/g')
}
string() { # key value
  escape "$2"
  printf '"%s":"%s",' "$1" "$escaped"
}
lines() { # key, file: an array of its lines
  printf '"%s":[' "$1"
  comma=''
  if [ -r "$2" ]; then
    while IFS= read -r line; do
      escape "$line"
      printf '%s"%s"' "$comma" "$escaped"
      comma=,
    done < "$2"
  fi
  printf ']'
}
has_ended() {
  while read -r at event rest; do
    [ "$event" = end ] && return 0
  done < "$1/journal"
  return 1
}
is_free() { # lock file
  [ -e "$1" ] || return 0
  flock -n "$1" true
}
# Without touching it: switch-to-configuration does not wait for its lock, it would give up because of us.
is_held() { # lock file
  [ -e "$1" ] || return 1
  set -- $(stat -c '%d %i' "$1") "$(stat -f -c %T "$1")"
  # It may go in between.
  [ $# = 3 ] || return 1
  place=":$2"
  # Other file systems have the same numbers. Not all of them tell the kernel and `stat` the same name, but this one does.
  [ "$3" = tmpfs ] && place=$(printf '%02x:%02x:%d' $(($1 >> 8 & 0xfff)) $(($1 & 0xff | $1 >> 12 & 0xfff00)) "$2")
  while read -r number kind rest; do
    case "$kind:$rest" in FLOCK:*"$place "*) return 0 ;; esac
  done < /proc/locks
  return 1
}

# --- what to do: all of it under the lock that starts take as well ----------------------------------------------------

ask='' acknowledged='' fence='' adopt='' takeover='' retainer='' retained='' keep='' runs='' boots=''
while IFS= read -r line; do
  value=${line#*=}
  case $line in
    ask=*) ask="$ask $value" ;;
    acknowledged=*) acknowledged="$acknowledged $value" ;;
    fence=*) fence=$value ;;
    adopt=*) adopt=$value ;;
    takeover=1) takeover=1 ;;
    retainer=*) retainer=$value ;;
    retain=*) retained="$retained $value" ;;
    keep=*) keep=$value ;;
    runs=*) runs=$value ;;
    boots=*) boots=$value ;;
  esac
done <<END
$data
END

replace() { # file, content: durable, all or nothing
  printf '%s\n' "$2" > "$1.new" && sync "$1.new" && mv -f "$1.new" "$1" && sync "${1%/*}"
}

highest_epoch=0 highest_counter=0 owner=''
read_state() {
  [ -r "$state/token" ] && read -r highest_epoch highest_counter < "$state/token"
  [ -r "$state/owner" ] && read -r owner < "$state/owner"
}

raise_fence() {
  epoch=${fence% *} counter=${fence#* }
  for record in "$records"/*; do
    [ -d "$record" ] && ! has_ended "$record" && return
  done
  if [ "$epoch" -gt "$highest_epoch" ] || { [ "$epoch" = "$highest_epoch" ] && [ "$counter" -gt "$highest_counter" ]; }; then
    replace "$state/token" "$epoch $counter"
  fi
}

# What the host may have to return to stays, whatever a person deletes of its profile. Before records and their roots go.
retain_roots() {
  [ -n "$retainer" ] && [ "$owner" = "$retainer" ] || return
  [ -d "$roots/kept" ] || mkdir -p "$roots/kept"
  for path in $retained; do
    [ -L "$roots/kept/${path##*/}" ] || ! [ -e "$path" ] || { ln -s "$path" "$roots/kept/" && sync "$roots/kept"; }
  done
  for link in "$roots/kept"/*; do
    case "$retained " in *" /nix/store/${link##*/} "*) ;; *) rm -f "$link" ;; esac
  done
}

change() {
  read_state
  if [ -n "$adopt" ] && [ "$owner" != "$adopt" ] && { [ -z "$owner" ] || [ -n "$takeover" ]; }; then
    replace "$state/owner" "$adopt"
    owner=$adopt
  fi
  retain_roots
  for id in $acknowledged; do
    [ -d "$records/$id" ] && has_ended "$records/$id" || continue
    # What the units were before the last activation stays: whatever fails later is held against it.
    if [ -s "$records/$id/units" ] && ! [ "$state/units" -nt "$records/$id/units" ]; then
      mv -f "$records/$id/units" "$state/units"
    fi
    # In one go: half a record would be one that never ends.
    mv -T "$records/$id" "$records/.gone-$id" && rm -rf "${roots:?}/$id"
    # Pipes of those who followed it and lost their connection, the output of its checks.
    rm -f "/run/varve/$id".*
  done
  # Also what somebody died over, and starts that came to nothing: nobody is at one as long as we have the lock.
  for half in "$records"/.[!.]*; do [ -d "$half" ] && rm -rf "$half"; done
  [ -n "$fence" ] && raise_fence
}

# An activation that nobody is at any more is brought to its end by the guard that began it.
revive() {
  for record in "$records"/*; do
    [ -d "$record" ] && ! has_ended "$record" && is_free "$state/run.lock" || continue
    guard=''
    while IFS= read -r line; do
      case $line in guard=/nix/store/*) guard=${line#guard=} ;; esac
    done < "$record/data"
    /bin/sh "$guard" revive "${record##*/}" < /dev/null > /dev/null 2>&1 9>&-
    tries=0
    until has_ended "$record" || [ $((tries += 1)) -gt 50 ]; do sleep 0.1; done
  done
}

if [ -d "$records" ]; then revive; fi
if [ -n "$acknowledged$fence$adopt$retained" ]; then
  mkdir -p "$records"
  chmod 700 "$records"
  exec 9>> "$state/lock"
  flock -w 10 9 && change 9>&-
  exec 9>&-
fi
read_state

# --- what is ----------------------------------------------------------------------------------------------------------

# What only a reboot replaces, where it differs between the booted system and the one that runs, or the one that boots next:
# comma-separated and quoted, into $needs_reboot. Who runs a part of what boots next has chosen that part.
find_needs_reboot() {
  needs_reboot=''
  [ -n "$booted" ] || return
  next=${boot_default:-$profile}
  [ "$current_parent" = "$next" ] && next=$current
  for part in kernel initrd kernel-modules systemd kernel-params; do
    { is_same "$current" && is_same "$next"; } || needs_reboot="$needs_reboot,\"$part\""
  done
  needs_reboot=${needs_reboot#,}
}
is_same() { # system: has the part that the booted one has, or there is none to compare
  [ -n "$1" ] && [ "$1" != "$booted" ] || return 0
  if [ "$part" = kernel-params ]; then
    first_line "$booted/$part"
    parameters=$first
    first_line "$1/$part"
    [ "$parameters" = "$first" ]
    return
  fi
  [ "$booted/$part" -ef "$1/$part" ] && return 0
  ! [ -e "$booted/$part" ] && ! [ -e "$1/$part" ]
}
first_line() { # file; into $first
  first=''
  [ -r "$1" ] && IFS= read -r first < "$1"
}

# What a root holds is valid, as long as it is there.
find_rooted() {
  rooted=''
  [ -n "$ask" ] || return
  held=" $current $booted $(readlink "$profiles"/system-*-link "$roots"/* "$roots"/*/* 2> /dev/null | tr '\n' ' ') "
  for path in $ask; do
    case $held in *" $path "*) [ -e "$path" ] && rooted="$rooted$path
" ;; esac
  done
}

# Asking Nix takes longer than all the rest: asked once a boot and program, on hosts that keep something for us anyway.
find_version() {
  version=''
  program=$(command -v nix-store) || return
  known=/run/varve/nix-version
  identity=$(stat -L -c '%d %i %Z' "$program")
  if [ -r "$known" ] && { read -r version && read -r of; } < "$known" && [ "$of" = "$identity" ]; then return; fi
  version=$(nix-store --version 2> /dev/null)
  version=${version%%
*}
  [ -d /run/varve ] && printf '%s\n%s\n' "$version" "$identity" > "$known.$$" && mv -f "$known.$$" "$known"
}

# The newest of what records and earlier acknowledgements say of the units before an activation, into $baseline.
find_baseline() {
  baseline=''
  for one in "$state/units" "$records"/*/units; do
    [ -s "$one" ] || continue
    [ -z "$baseline" ] || [ "$one" -nt "$baseline" ] && baseline=$one
  done
}
was_troubled() { # unit; as the baseline has it
  while read -r was load active sub rest; do
    [ "$was" = "$1" ] || continue
    [ "$active" = failed ] || [ "$sub" = auto-restart ]
    return
  done < "$baseline"
  return 1
}
find_troubled() { # into $failed, $restarting, and those of both that were not so before the last activation
  failed='' restarting='' newly_failed=''
  find_baseline
  troubled=$(systemctl list-units --state=failed,auto-restart --full --plain --no-legend --no-pager 2> /dev/null)
  while read -r unit load active sub rest; do
    case $unit in '' | varve-activate-* | varve-watchdog-* | varve-reboot-*) continue ;; esac
    if [ "$active" = failed ]; then failed="$failed $unit"; else restarting="$restarting $unit"; fi
    [ -z "$baseline" ] || was_troubled "$unit" || newly_failed="$newly_failed $unit"
  done << END
$troubled
END
}
words() { # word...: the inside of an array
  comma=''
  for word in "$@"; do
    escape "$word"
    printf '%s"%s"' "$comma" "$escaped"
    comma=,
  done
}

# Lines of a number and its system, newest first, if there are more than so many; no more than anybody wants to read.
find_generations() {
  generations=''
  [ -n "$keep" ] || return
  set -- "$profiles"/system-*-link
  [ $# -gt "$keep" ] || return
  generations=$(
    for link; do
      number=${link##*/system-}
      path=$(readlink "$link") && printf '%s %s\n' "${number%-link}" "$path"
    done | sort -rn | head -n 200
  )
}

# How long ago a file says something was done, in seconds, into $ago; and what else it says, into $rest.
find_past() { # file
  ago='' rest=''
  [ -r "$1" ] && read -r at rest < "$1" || return
  ago=$(($(date +%s) - at))
  # By a clock that was wrong: long ago.
  [ "$ago" -ge 0 ] || ago=864000
}

current=$(readlink -e /run/current-system)
booted=$(readlink -e /run/booted-system)
profile=$(readlink -e "$profiles/system")
generation=$(readlink "$profiles/system")
generation=${generation#system-} generation=${generation%-link}
find_boot_default
find_parent "$booted"
booted_parent=$parent
find_parent "$current"
current_parent=$parent
find_rooted
find_generations
find_past "$state/collected"
collected_ago=$ago
find_past "$state/tidied"
tidied_ago=$ago tidied=$rest
read -r boot_id < /proc/sys/kernel/random/boot_id
set -- $(stat -f -c '%a %S' /nix/store)
locked=false
if ! is_free "$state/run.lock" || is_held /run/nixos/switch-to-configuration.lock; then locked=true; fi
find_version
nixos=false
[ -e /etc/NIXOS ] && nixos=true
find_needs_reboot
find_drift

printf '{'
string current "$current_parent"
string booted "$booted_parent"
string profile "$profile"
string profileGeneration "$generation"
string bootDefault "$boot_default"
string bootId "$boot_id"
string owner "$owner"
string epoch "$highest_epoch"
string counter "$highest_counter"
string nixVersion "${version##* }"
string collectedAgo "$collected_ago"
string tidiedAgo "$tidied_ago"
string tidied "$tidied"
print_drift
printf '"nixos":%s,' "$nixos"
printf '"freeBytes":%s,"locked":%s,' "$(($1 * $2))" "$locked"
printf '"rebootNeeded":[%s],' "$needs_reboot"
find_troubled
printf '"failedUnits":['
words $failed
printf '],"restarting":['
words $restarting
printf '],"newlyFailed":['
words $newly_failed
printf '],"rooted":['
comma=''
for path in $rooted; do
  printf '%s"%s"' "$comma" "$path"
  comma=,
done
printf '],"generations":['
comma=''
while read -r number path; do
  [ -n "$number" ] || continue
  printf '%s["%s","%s"]' "$comma" "$number" "$path"
  comma=,
done <<END
$generations
END
printf '],"records":['
separator=''
for record in "$records"/*; do
  [ -d "$record" ] || continue
  printf '%s{' "$separator"
  lines data "$record/data"
  printf ,
  lines journal "$record/journal"
  printf '}'
  separator=,
done
printf ']}\n'
