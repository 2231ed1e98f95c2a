#!/bin/sh
# The guard: brings this host to a toplevel and, unless somebody confirms it in time, back to what ran before.
#
#   sh guard start|acknowledge|reject|check|follow    data on stdin, `key=value` lines; answers on stdout
#   sh guard run|watchdog|revive DEPLOYMENT           what `start` and probes set going
#
# Everything a deployment does is in /nix/var/varve/records/DEPLOYMENT: `data` (what was asked, what ran before), `journal`
# (`<uptime> <event> key=value...`, the last line is `end`), `log` (output of switch-to-configuration), `units` (before the
# switch), `decision`. `confirmed` or `rolling-back` is decided by who makes the link `decision`.
# Two locks: `lock` is held for moments, by whoever changes owner, token or records; `run.lock` by whoever changes the system.
#
# Uptimes are in hundredths of a second. Tools come from the system that ran before, by its store path: the new one is not
# trusted yet, and process 1 may have no PATH worth the name.
set -u
umask 022
LC_ALL=C
export LC_ALL

state=/nix/var/varve
records=$state/records
roots=/nix/var/nix/gcroots/varve
profiles=/nix/var/nix/profiles
# Of this boot: pipes that wake whoever waits for a record to change, and process ids.
live=/run/varve
guard=$0

# --- small tools ------------------------------------------------------------------------------------------------------

refuse() { # CODE key=value...
  printf 'refused %s\n' "$*"
  exit 0
}

# For tests: dies here if the file of that name exists, or stands still if it says so. Only root can make it.
fault() {
  [ -e "$state/faults/$1" ] || return 0
  fate=''
  read -r fate < "$state/faults/$1"
  rm -f "$state/faults/$1"
  if [ "$fate" = stop ]; then kill -STOP $$; else kill -KILL $$; fi
}

uptime() { # into $now
  read -r now rest < /proc/uptime
  now=${now%.*}${now#*.}
}

is_id() {
  case $1 in d*[!0-9a-z]* | d | [!d]* | '') return 1 ;; esac
  [ ${#1} -le 41 ]
}
is_number() {
  case $1 in '' | *[!0-9]* | 0[0-9]*) return 1 ;; esac
  [ ${#1} -le 15 ]
}
is_store_path() {
  case $1 in /nix/store/*) ;; *) return 1 ;; esac
  case ${1#/nix/store/} in *[!0-9a-zA-Z+._?=-]* | .* | '') return 1 ;; esac
  [ ${#1} -le 300 ]
}
is_word() {
  case $1 in '' | *[!0-9a-zA-Z._:@\\-]*) return 1 ;; esac
  [ ${#1} -le 256 ]
}
is_text() {
  case $1 in *[[:cntrl:]]*) return 1 ;; esac
  [ ${#1} -le 2000 ]
}

# Everything that a caller may say. What is not listed, or does not look like it should, is refused.
read_request() {
  id='' toplevel='' owner='' epoch='' counter='' mode='' action='' activation='' confirm='' code='' text=''
  settle=0 patience=0 want_units='' commands=''
  while IFS= read -r line; do
    key=${line%%=*} value=${line#*=}
    case $key in
      deployment) is_id "$value" && id=$value ;;
      toplevel) is_store_path "$value" && toplevel=$value ;;
      owner) is_word "$value" && owner=$value ;;
      epoch) is_number "$value" && epoch=$value ;;
      counter) is_number "$value" && counter=$value ;;
      mode) case $value in switch | boot | test | dry-activate) mode=$value ;; *) false ;; esac ;;
      action) case $value in activate | finalise) action=$value ;; *) false ;; esac ;;
      activation) is_number "$value" && activation=$((value / 10)) ;;
      confirm) is_number "$value" && confirm=$((value / 10)) ;;
      settle) is_number "$value" && settle=$((value / 10)) ;;
      patience) is_number "$value" && patience=$((value / 10)) ;;
      code) case $value in CHECK_FAILED | UNITS_FAILED) code=$value ;; *) false ;; esac ;;
      unit) is_word "$value" && want_units="$want_units $value" ;;
      command | argument) is_text "$value" && commands="$commands$line
" ;;
      text) is_text "$value" && text=$value ;;
      *) false ;;
    esac || refuse INVALID_INPUT "key=$key"
  done
}

# --- records ----------------------------------------------------------------------------------------------------------

load() { # DEPLOYMENT: its data, and the tools of the system that ran before
  is_id "$1" || refuse INVALID_INPUT key=deployment
  id=$1 record=$records/$1
  [ -r "$record/data" ] || refuse NOT_FOUND "deployment=$id"
  while IFS= read -r line; do
    key=${line%%=*} value=${line#*=}
    case $key in
      toplevel) toplevel=$value ;;
      previous) previous=$value ;;
      profile) profile=$value ;;
      generation) generation=$value ;;
      mode) mode=$value ;;
      action) action=$value ;;
      activation) activation=$value ;;
      confirm) confirm=$value ;;
      boot) boot=$value ;;
    esac
  done < "$record/data"
  PATH=$previous/sw/bin
  export PATH
}

journal() { # event key=value...
  uptime
  printf '%s %s\n' "$now" "$*" >> "$record/journal"
  wake
}

# Opening a pipe for both reading and writing never blocks, whether or not somebody reads it.
wake() {
  for pipe in "$live/$id".*; do
    [ -p "$pipe" ] && printf '.\n' 1<> "$pipe"
  done
}

# The uptime and the rest of the last line with this event, into $at and $said.
find_event() {
  at='' said=''
  while read -r line_at line_event line_rest; do
    [ "$line_event" = "$1" ] && at=$line_at said=$line_rest
  done < "$record/journal"
  [ -n "$at" ]
}

# Durable before anybody hears of it. The watchdog sees the end, and goes.
finish() { # kind=... key=value...
  uptime
  printf '%s end %s\n' "$now" "$*" >> "$record/journal"
  sync "$record/journal" "$record"
  wake
  rm -f "$live/$id.run" "$live/$id.pid"
}

# Exclusive: the first one wins, for ever.
decide() { # confirmed | rolling-back key=value...
  printf '%s\n' "$*" > "$record/decision.$$"
  ln "$record/decision.$$" "$record/decision" 2> /dev/null
}
decided() { # into $decision and $why
  decision='' why=''
  [ -e "$record/decision" ] && read -r decision why < "$record/decision"
}

# --- units ------------------------------------------------------------------------------------------------------------

has_systemd() { [ -d /run/systemd/system ]; }

list_units() { # unit, load, active, sub
  has_systemd && systemctl list-units --all --full --plain --no-legend --no-pager "$@"
}

in_baseline() { # unit, pattern of `active:sub`: was it like that before the switch?
  while read -r was_name was_load was_active was_sub rest; do
    [ "$was_name" = "$1" ] || continue
    # shellcheck disable=SC2254 # a pattern it is
    case $was_active:$was_sub in $2) return 0 ;; esac
    return 1
  done < "$record/units"
  return 1
}

# Units that fail or wait to be started again, and did not before the switch; comma-separated, into $broken.
find_broken() {
  broken=''
  list_units --state=failed,auto-restart > "$record/failed.$$"
  while read -r name rest; do
    in_baseline "$name" 'failed:*' || in_baseline "$name" '*:auto-restart' || broken="$broken,$name"
  done < "$record/failed.$$"
  rm -f "$record/failed.$$"
  broken=${broken#,}
  [ -n "$broken" ]
}

# Services that a timer, a socket or the bus starts, or that end when they are done, are active or not as it happens.
comes_and_goes() { # unit
  [ "${1##*.}" = service ] || return 1
  in_baseline "${1%.*}.timer" '*' || in_baseline "${1%.*}.socket" '*' && return 0
  case $(systemctl show --property=Type --property=RemainAfterExit "$1" | tr '\n' ' ') in
    *Type=dbus* | *Type=oneshot*RemainAfterExit=no* | *RemainAfterExit=no*Type=oneshot*) return 0 ;;
  esac
  return 1
}

# Units of the old system that were active before the switch and are not now; into $missing.
find_missing() {
  missing=''
  [ -s "$record/units" ] || return 1
  list_units --state=active,reloading,activating > "$record/active.$$"
  now_active=' '
  while read -r name rest; do now_active="$now_active$name "; done < "$record/active.$$"
  rm -f "$record/active.$$"
  while read -r name load active sub rest; do
    [ "$active" = active ] || continue
    case $now_active in *" $name "*) continue ;; esac
    case $name in *.service | *.socket | *.timer | *.path | *.mount | *.target) ;; *) continue ;; esac
    [ -e "$previous/etc/systemd/system/$name" ] || continue
    comes_and_goes "$name" && continue
    missing="$missing,$name"
  done < "$record/units"
  missing=${missing#,}
  [ -n "$missing" ]
}

service() { # unit, verb: outlives us, the connection and whoever is at its other end
  if has_systemd; then
    systemd-run --quiet --collect --no-ask-password --unit="$1" --service-type=exec \
      --property=KillMode=control-group --property=TimeoutStopSec=10 --property=SendSIGKILL=yes \
      /bin/sh "$guard" "$2" "$id" < /dev/null > /dev/null
  else
    setsid /bin/sh "$guard" "$2" "$id" < /dev/null > /dev/null 2>&1 6>&- 9>&- &
  fi
}

# SIGTERM, ten seconds, SIGKILL: nothing of the activation is left afterwards.
stop_activation() {
  has_systemd && timeout -k 5 20 systemctl stop "varve-activate-$id.service" 2> /dev/null
  [ -r "$live/$id.pid" ] || return 0
  read -r pid < "$live/$id.pid"
  if has_systemd; then
    [ -d "/proc/$pid" ] || return 0
    systemctl kill --signal=KILL "varve-activate-$id.service" 2> /dev/null
  else
    kill -TERM "-$pid" 2> /dev/null || return 0
    tries=0
    while kill -0 "-$pid" 2> /dev/null && [ $((tries += 1)) -le 100 ]; do sleep 0.1; done
    kill -KILL "-$pid" 2> /dev/null
  fi
}

# --- what changes the system; the caller holds run.lock ----------------------------------------------------------------

bounded() { # like the command, but not longer than an activation may take
  timeout -k 10 "$((activation / 100 + 1))" "$@" < /dev/null >> "$record/log" 2>&1 6>&-
}

is_current() { [ "$(readlink -e /run/current-system)" = "$1" ]; }

untouched() { is_current "$previous" && ! find_missing; }

# Profile, then boot default. A new profile generation unless the profile is there already.
set_default() {
  journal default
  sync "$record/journal"
  [ "$(readlink -e "$profiles/system")" = "$toplevel" ] ||
    bounded nix-env --profile "$profiles/system" --set "$toplevel" || return 1
  fault profile-set
  bounded "$toplevel/bin/switch-to-configuration" boot
}

# Back to the recorded profile generation, or at least to its store path.
restore_default() {
  if [ "$(readlink -e "$profiles/system")" != "$profile" ]; then
    newer=$(readlink "$profiles/system")
    newer=${newer#system-} newer=${newer%-link}
    if [ "$(readlink -e "$profiles/system-$generation-link")" = "$profile" ]; then
      bounded nix-env --profile "$profiles/system" --switch-generation "$generation" || return 1
      is_number "$newer" && bounded nix-env --profile "$profiles/system" --delete-generations "$newer"
    else
      bounded nix-env --profile "$profiles/system" --set "$profile" || return 1
    fi
  fi
  bounded "$profile/bin/switch-to-configuration" boot
}

# To the recorded previous system, once; what it can't bring back is for people.
roll_back() { # key=value... of the reason
  decide rolling-back "$*"
  find_event rolling-back || journal rolling-back "$*"
  sync "$record/journal" "$record"
  fault rolling-back
  broken_default=''
  if find_event default; then restore_default || broken_default=' default=broken'; fi
  tries=0
  while :; do
    bounded "$previous/bin/switch-to-configuration" test
    status=$?
    [ $status = 11 ] && [ $((tries += 1)) -le 30 ] || break
    sleep 1
  done
  find_missing && has_systemd && {
    old_ifs=$IFS IFS=,
    # shellcheck disable=SC2086 # a list
    timeout 60 systemctl start -- $missing >> "$record/log" 2>&1
    IFS=$old_ifs
    find_missing
  }
  fault rolled-back
  if is_current "$previous" && [ -z "$missing$broken_default" ]; then
    finish "kind=rolled-back $*"
  else
    finish "kind=stuck status=$status$broken_default missing=$missing $*"
  fi
}

finalise() {
  find_event confirmed || journal confirmed
  sync "$record/decision" "$record/journal" "$record"
  fault confirmed
  if [ "$mode" != test ]; then
    set_default || {
      roll_back code=BOOTLOADER_FAILED evidence=1
      return
    }
  fi
  fault boot-set
  finish kind=succeeded
}

boot_only() { # why
  journal booting "$@"
  if set_default; then
    finish kind=awaiting-reboot
  elif restore_default; then
    finish kind=failed code=BOOTLOADER_FAILED
  else
    finish kind=stuck code=BOOTLOADER_FAILED default=broken
  fi
}

# The running system stays; profile and boot default follow it.
finalise_only() {
  is_current "$toplevel" || {
    finish kind=failed code=DRIFTED
    return
  }
  if set_default; then
    finish kind=succeeded
  elif restore_default; then
    finish kind=failed code=BOOTLOADER_FAILED
  else
    finish kind=stuck code=BOOTLOADER_FAILED default=broken
  fi
}

# Names in both systems' switch-inhibitors (a flat JSON object) whose values differ: only a reboot gets past them.
find_inhibitor() {
  inhibitor=''
  [ -e "$previous/switch-inhibitors" ] && [ -e "$toplevel/switch-inhibitors" ] || return 1
  cmp -s "$previous/switch-inhibitors" "$toplevel/switch-inhibitors" && return 1
  for system in "$previous" "$toplevel"; do
    tr -d '\n' < "$system/switch-inhibitors" | sed 's/^ *{ *"//; s/" *} *$//; s/" *, *"/\n/g; s/" *: *"/=/g'
    printf '\n'
  done > "$record/inhibitors"
  while IFS= read -r one; do
    while IFS= read -r other; do
      [ -n "$one" ] && [ "${one%%=*}" = "${other%%=*}" ] && [ "$one" != "$other" ] && inhibitor=${one%%=*}
    done < "$record/inhibitors"
  done < "$record/inhibitors"
  [ -n "$inhibitor" ]
}

switch_live() {
  if find_inhibitor; then
    if [ "$mode" = switch ]; then boot_only inhibitor=1; else finish kind=failed code=ACTIVATION_REFUSED reboot=1; fi
    return
  fi
  journal switching
  fault before-switch
  "$toplevel/bin/switch-to-configuration" test < /dev/null >> "$record/log" 2>&1 6>&-
  status=$?
  fault after-switch
  case $status in
    0) ;;
    4)
      if find_broken; then
        roll_back "code=UNITS_FAILED evidence=1 exit=4 units=$broken"
        return
      fi
      ;;
    1 | 11 | 100)
      if ! untouched; then
        roll_back "code=ACTIVATION_FAILED evidence=1 exit=$status"
      elif [ $status = 11 ]; then
        finish kind=failed code=LOCK_HELD exit=11
      elif [ $status = 100 ] && [ "$mode" = switch ]; then
        boot_only exit=100
      else
        finish "kind=failed code=ACTIVATION_REFUSED exit=$status"
      fi
      return
      ;;
    *)
      roll_back "code=ACTIVATION_FAILED evidence=1 exit=$status"
      return
      ;;
  esac
  journal "switched code=$status"
  # From here to the decision nothing happens but waiting: acknowledge and reject wake us, the watchdog ends us.
  until [ -e "$record/decision" ]; do read -r rest <&6; done
  decided
  if [ "$decision" = confirmed ]; then finalise; else roll_back "$why"; fi
}

dry_activate() {
  bounded "$toplevel/bin/switch-to-configuration" dry-activate
  status=$?
  if [ $status = 0 ]; then finish kind=succeeded; else finish "kind=failed code=ACTIVATION_REFUSED exit=$status"; fi
}

run() {
  load "$1"
  exec 8>> "$state/run.lock"
  flock -w 2 8 || exit 0
  # The lock stays with this shell; nothing that it starts gets it.
  run_locked 8>&-
}

run_locked() {
  decided
  [ -z "$decision" ] && ! find_event end && ! find_event running || exit 0
  printf '%s\n' $$ > "$live/$id.pid"
  mkfifo -m 600 "$live/$id.run"
  exec 6<> "$live/$id.run"
  journal running
  service "varve-watchdog-$id" watchdog &
  watchdog=$!
  list_units > "$record/units"
  wait $watchdog || {
    finish kind=failed code=INTERNAL watchdog=0
    return
  }
  fault running
  case $action:$mode in
    finalise:*) finalise_only ;;
    *:dry-activate) dry_activate ;;
    *:boot) boot_only ;;
    *) switch_live ;;
  esac
}

# --- the watchdog -----------------------------------------------------------------------------------------------------

# Until when the present part may last, into $deadline, and what it means if it does not end, into $late.
find_deadline() {
  decided
  if find_event rolling-back; then
    deadline=$((at + 2 * activation + 12000)) late=$said
  elif find_event default; then
    # Two steps, each bounded by itself.
    deadline=$((at + 2 * activation + 2500)) late='code=BOOTLOADER_FAILED evidence=1'
  elif [ "$decision" = rolling-back ]; then
    # Whoever asked for it has woken the run, which is about to say so.
    find_event switched
    deadline=$((${at:-0} + confirm + 1000)) late=$why
  elif find_event confirmed || [ "$decision" = confirmed ]; then
    uptime
    deadline=$((${at:-$now} + activation)) late='code=BOOTLOADER_FAILED evidence=1'
  elif find_event switched; then
    deadline=$((at + confirm)) late='code=CONFIRM_TIMEOUT evidence=0'
  elif find_event switching || find_event running || find_event started; then
    deadline=$((at + activation)) late='code=ACTIVATION_FAILED evidence=1 timeout=1'
  fi
}

watchdog() {
  load "$1"
  mkdir -p "$live"
  exec 8>> "$state/run.lock"
  while :; do
    find_deadline
    uptime
    left=$((deadline - now))
    # Having the lock means that whoever held it is done or dead.
    wait_for=1
    if [ $left -le 0 ]; then wait_for=0.1; elif [ $left -lt 100 ]; then wait_for=$(printf '0.%02d' $left); fi
    if flock -w "$wait_for" 8; then
      after_run 8>&-
      return
    fi
    find_event end && continue
    find_deadline
    uptime
    [ "$now" -ge "$deadline" ] || continue
    if [ -z "$decision" ] && ! decide rolling-back "$late"; then continue; fi
    # Ours to end, unless it was already on its way back: then it had its time too.
    find_event rolling-back || journal rolling-back "$late"
    stop_activation 8>&-
    flock -w 30 8 || {
      finish "kind=stuck lock=1 $late"
      return
    }
    find_event end || roll_back "$late" 8>&-
    return
  done
}

# The run is over. Was it meant to be?
after_run() {
  find_event end && return
  decided
  read -r boot_now < /proc/sys/kernel/random/boot_id
  if [ "$boot" != "$boot_now" ]; then
    after_reboot
    return
  fi
  # Its shell is gone, but what it had started may be there still.
  stop_activation
  if find_event rolling-back; then
    roll_back "$said"
  elif [ "$decision" = confirmed ]; then
    finalise
  elif [ "$decision" = rolling-back ]; then
    roll_back "$why"
  elif find_event booting; then
    boot_only again=1
  elif [ "$action" = finalise ] && find_event default; then
    finalise_only
  elif find_event switching; then
    roll_back code=UNCONFIRMED evidence=0 died=1
  else
    decide rolling-back code=UNCONFIRMED
    finish kind=failed code=UNCONFIRMED died=1
  fi
}

# Power was lost, or somebody rebooted: whatever is the boot default runs now.
after_reboot() {
  booted=$(readlink -e /run/booted-system)
  find_event default && touched=1 || touched=''
  if [ -n "$touched" ] && [ "$booted" = "$toplevel" ]; then
    [ "$(readlink -e "$profiles/system")" = "$toplevel" ] ||
      bounded nix-env --profile "$profiles/system" --set "$toplevel"
    if [ "$decision" = confirmed ] || [ "$action" = finalise ]; then finish kind=succeeded; else finish kind=awaiting-reboot; fi
    return
  fi
  decide rolling-back code=POWER_LOST
  if [ -n "$touched" ] && ! restore_default; then
    finish kind=stuck code=POWER_LOST default=broken
  else
    finish kind=rolled-back code=POWER_LOST evidence=0
  fi
}

# --- what callers ask for ---------------------------------------------------------------------------------------------

follow() { # prints the record, and every line that is added to it, until it ends
  mkdir -p "$live"
  pipe=$live/$id.f$$
  mkfifo -m 600 "$pipe" || exit 1
  trap 'rm -f "$live/$id.f$$"' EXIT
  exec 7<> "$pipe"
  uptime
  printf 'now %s\nprevious %s\n' "$now" "$previous"
  shown=0 logged=0
  while :; do
    n=0 print_log=''
    while IFS= read -r line; do
      n=$((n + 1))
      [ $n -gt $shown ] || continue
      printf 'journal %s\n' "$line"
      case $line in
        *' end kind=succeeded') [ "$mode" = dry-activate ] && print_log=1 ;;
        *' switched '* | *' rolling-back '* | *' end '*) print_log=1 ;;
      esac
    done < "$record/journal"
    shown=$n
    if [ -n "$print_log" ] && [ -r "$record/log" ]; then
      tail -n "+$((logged + 1))" "$record/log" | tail -c 32768 | sed 's/^/log /'
      logged=$(wc -l < "$record/log")
    fi
    find_event end && break
    read -r rest <&7
  done
}

# A record without an end whose guard is gone is brought to its end by a new watchdog.
revive() {
  read -r boot_now < /proc/sys/kernel/random/boot_id
  while :; do
    find_event end && return 0
    [ "$boot" = "$boot_now" ] && ! find_event running && find_event started || break
    # It may just be on its way to its lock.
    uptime
    [ $((now - at)) -lt 300 ] || break
    sleep 0.1
  done
  (
    exec 8>> "$state/run.lock"
    flock -n 8
  ) || return 0
  service "varve-watchdog-$id" watchdog 2> /dev/null
}

start() {
  if ! [ -e /run/current-system/sw/bin/readlink ] || ! previous=$(/run/current-system/sw/bin/readlink -e /run/current-system); then
    if [ -e /etc/NIXOS ]; then refuse NO_PREVIOUS_SYSTEM; else refuse NOT_NIXOS; fi
  fi
  [ -x "$previous/bin/switch-to-configuration" ] && is_store_path "$previous" || refuse NOT_NIXOS
  PATH=$previous/sw/bin
  export PATH
  read_request
  for value in "$id" "$toplevel" "$owner" "$epoch" "$counter" "$mode" "$action" "$activation" "$confirm"; do
    [ -n "$value" ] || refuse INVALID_INPUT key=missing
  done
  mkdir -p "$records" "$roots" "$live"
  exec 9>> "$state/lock"
  flock -w 10 9 || refuse HOST_BUSY lock=1
  has=''
  [ -r "$state/owner" ] && read -r has < "$state/owner"
  [ -n "$has" ] || refuse UNMANAGED
  [ "$has" = "$owner" ] || refuse OWNED_BY "owner=$has"
  if [ -d "$records/$id" ]; then
    exec 9>&-
    load "$id"
    revive
  else
    start_new
    exec 9>&-
  fi
  follow
}

start_new() {
  highest_epoch=0 highest_counter=0
  [ -r "$state/token" ] && read -r highest_epoch highest_counter < "$state/token"
  if [ "$epoch" -lt "$highest_epoch" ] || { [ "$epoch" = "$highest_epoch" ] && [ "$counter" -le "$highest_counter" ]; }; then
    refuse TOKEN_REFUSED "epoch=$highest_epoch counter=$highest_counter"
  fi
  for record in "$records"/*; do
    [ -d "$record" ] && ! find_event end || continue
    other=${record##*/}
    /bin/sh "$guard" revive "$other" 9>&- > /dev/null
    refuse HOST_BUSY "deployment=$other"
  done
  [ -x "$toplevel/bin/switch-to-configuration" ] || refuse PUSH_FAILED
  profile=$(readlink -e "$profiles/system") || profile=$previous
  generation=$(readlink "$profiles/system")
  generation=${generation#system-} generation=${generation%-link}
  read -r boot < /proc/sys/kernel/random/boot_id

  record=$records/.$id
  rm -rf "$record"
  mkdir "$record" "$roots/$id.guard" 2> /dev/null
  ln -sf "$toplevel" "$previous" "$guard" "$roots/$id.guard/" 2> /dev/null
  # Stays when the record goes: the next activation of a closure that is here needs nothing to be pushed.
  ln -sfn "$guard" "$roots/guard"
  uptime
  # The token first: what is left of a start that dies in between is a fence. A full disk is found here, before anything.
  {
    printf 'deployment=%s\ntoplevel=%s\nprevious=%s\nprofile=%s\n' "$id" "$toplevel" "$previous" "$profile" &&
      printf 'generation=%s\nmode=%s\naction=%s\nactivation=%s\n' "$generation" "$mode" "$action" "$activation" &&
      printf 'confirm=%s\nboot=%s\nepoch=%s\ncounter=%s\nguard=%s\n' "$confirm" "$boot" "$epoch" "$counter" "$guard"
  } > "$record/data" &&
    printf '%s started\n' "$now" > "$record/journal" &&
    printf '%s %s\n' "$epoch" "$counter" > "$state/token.new" &&
    sync "$record/data" "$record/journal" "$record" "$state/token.new" || refuse DISK_FULL
  mv -f "$state/token.new" "$state/token"
  mv -T "$record" "$records/$id"
  sync "$state" "$records" "$roots"
  record=$records/$id
  fault recorded
  service "varve-activate-$id" run || finish kind=failed code=INTERNAL service=0
  fault spawned
}

acknowledge() {
  read_request
  load "$id"
  decided
  if [ -z "$decision" ]; then
    find_event switched || refuse CONFLICT
    if find_broken; then
      printf 'unhealthy %s\n' "$broken"
      exit 0
    fi
    decide confirmed
    wake
  fi
  follow
}

reject() {
  read_request
  load "$id"
  [ -n "$code" ] || refuse INVALID_INPUT key=code
  find_event switched || refuse CONFLICT
  decide rolling-back "code=$code evidence=1 text=$text"
  wake
  follow
}

# Restart counters of the services, `name=count` lines.
count_restarts() {
  systemctl show --property=Id --property=NRestarts '*.service' | while IFS='=' read -r key value; do
    case $key in
      NRestarts) restarts=$value ;;
      Id) name=$value ;;
      '') [ "${restarts:-0}" = 0 ] || printf '%s=%s\n' "$name" "$restarts" ;;
    esac
  done
}

# Watches the units for the settle time, waits for the wanted ones to be active, runs commands. `healthy` or `unhealthy ...`
check() {
  read_request
  load "$id"
  uptime
  watched_until=$((now + settle)) patient_until=$((now + patience))
  before=''
  [ $settle -gt 0 ] && has_systemd && before=" $(count_restarts | tr '\n' ' ')"
  while :; do
    if find_broken; then unhealthy "$broken failed or restarting"; fi
    waiting=''
    for unit in $want_units; do
      is=$(systemctl is-active -- "$unit")
      case $is in
        active) ;;
        failed) unhealthy "$unit is failed" ;;
        *) waiting="$unit is ${is:-unknown}" ;;
      esac
    done
    uptime
    [ -n "$waiting" ] && [ "$now" -ge $patient_until ] && unhealthy "$waiting"
    [ -z "$waiting" ] && [ "$now" -ge $watched_until ] && break
    left=$((watched_until - now))
    if [ -z "$waiting" ] && [ $left -lt 50 ]; then sleep "$(printf '0.%02d' $left)"; else sleep 0.5; fi
  done
  if [ $settle -gt 0 ] && has_systemd; then
    for pair in $(count_restarts); do
      name=${pair%=*}
      was=0
      case $before in *" $name="*) was=${before#*" $name="} was=${was%% *} ;; esac
      [ "${pair##*=}" -gt "$was" ] || continue
      in_baseline "$name" '*:auto-restart' || unhealthy "$name keeps restarting"
    done
  fi
  run_commands
  printf 'healthy\n'
}

unhealthy() {
  printf 'unhealthy %s\n' "$*"
  exit 0
}

run_commands() { # `command=<seconds>` begins one, `argument=` lines are its words
  set --
  seconds=''
  while IFS= read -r line; do
    case $line in
      command=*)
        [ $# -gt 0 ] && run_command "$@"
        set --
        seconds=${line#command=}
        is_number "$seconds" || refuse INVALID_INPUT key=command
        ;;
      argument=*) set -- "$@" "${line#argument=}" ;;
    esac
  done <<END
$commands
END
  [ $# -gt 0 ] && run_command "$@"
  return 0
}

run_command() {
  # Looked up in the system that runs now: that is the one that is checked.
  PATH=/run/current-system/sw/bin:$PATH timeout -k 5 "$seconds" "$@" < /dev/null > "$live/$id.output" 2>&1
  status=$?
  [ $status = 0 ] || unhealthy "the command $1 ended with status $status: $(tail -c 500 "$live/$id.output" | tr -c '[:print:]' ' ')"
}

verb=${1:-}
case $verb in
  start | acknowledge | reject | check) "$verb" ;;
  follow)
    read_request
    load "$id"
    revive
    follow
    ;;
  run | watchdog) "$verb" "${2:-}" ;;
  revive)
    load "${2:-}"
    revive
    ;;
  *) refuse INVALID_INPUT key=verb ;;
esac
