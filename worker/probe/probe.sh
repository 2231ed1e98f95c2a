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
  inode=$(stat -c %i "$1")
  while read -r number kind rest; do
    case "$kind:$rest" in FLOCK:*":$inode "*) return 0 ;; esac
  done < /proc/locks
  return 1
}

# --- what to do: all of it under the lock that starts take as well ----------------------------------------------------

ask='' acknowledged='' fence='' adopt='' takeover='' retainer='' retained='' keep=''
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
    rm -rf "${records:?}/$id" "${roots:?}/$id"
    # Pipes of those who followed it and lost their connection, the output of its checks.
    rm -f "/run/varve/$id".*
  done
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

# What boots next: a plain pointer, or the `init=` of the default entry of systemd-boot, GRUB or extlinux. Empty: unknown.
find_boot_default() {
  boot_default=''
  if [ -r /boot/default ]; then
    read -r boot_default < /boot/default
    return
  fi
  entry=''
  for esp in /boot /efi /boot/efi; do
    [ -r "$esp/loader/loader.conf" ] || continue
    name=$(sed -n 's/^default[[:space:]]*//p' "$esp/loader/loader.conf")
    # The entries may be on a partition of their own.
    for folder in "$esp" /boot; do
      [ -r "$folder/loader/entries/${name%.conf}.conf" ] && entry=$folder/loader/entries/${name%.conf}.conf && break 2
    done
  done
  if [ -n "$entry" ]; then :; elif [ -r /boot/grub/grub.cfg ]; then
    entry=/boot/grub/grub.cfg
  elif [ -r /boot/extlinux/extlinux.conf ]; then
    entry=/boot/extlinux/extlinux.conf
  fi
  [ -r "$entry" ] && boot_default=$(sed -n 's/.*init=\(\/nix\/store\/[^\/ ]*\)\/init.*/\1/p' "$entry" | sed -n 1p)
}

# Kernel, initrd, modules, parameters and systemd are only replaced by a reboot.
needs_reboot() {
  [ -n "$current" ] && [ -n "$booted" ] && [ "$current" != "$booted" ] || return 1
  for part in kernel initrd kernel-modules systemd; do
    [ "$booted/$part" -ef "$current/$part" ] && continue
    [ -e "$booted/$part" ] || [ -e "$current/$part" ] && return 0
  done
  first_line "$booted/kernel-params"
  parameters=$first
  first_line "$current/kernel-params"
  [ "$parameters" != "$first" ]
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
reboot=false
needs_reboot && reboot=true

printf '{'
string current "$current"
string booted "$booted"
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
printf '"nixos":%s,' "$nixos"
printf '"freeBytes":%s,"locked":%s,' "$(($1 * $2))" "$locked"
printf '"rebootNeeded":%s,' "$reboot"
failed=$(systemctl list-units --failed --full --plain --no-legend --no-pager 2> /dev/null)
printf '"failedUnits":['
comma=''
while read -r unit rest; do
  [ -n "$unit" ] || continue
  escape "$unit"
  printf '%s"%s"' "$comma" "$escaped"
  comma=,
done <<END
$failed
END
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
