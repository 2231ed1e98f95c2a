#!@shell@ sh
# Makes this toplevel the running system, the one that boots, or both. Order of steps and exit statuses are those of NixOS's
# own program: 0 done; 1 refused or impossible, nothing that runs was changed; 2 activation failed; 4 done, but units failed;
# 11 somebody else is at it; 100 the running init can't be brought to this system, reboot.
PATH=@path@
export PATH

out=@out@
action=${1:-}
run=/run/nixos
units=/etc/systemd/system
new_units=$out/etc/systemd/system

usage() {
  cat >&2 <<END
Usage: $0 [check|switch|boot|test|dry-activate]
check:        run pre-switch checks and exit
switch:       make the configuration the boot default and activate now
boot:         make the configuration the boot default
test:         activate the configuration, but don't make it the boot default
dry-activate: show what would be done if this configuration were activated
END
  exit 1
}

# The value of a key in the [Unit] section; $3 if there is none.
unit_key() {
  value=$(sed -n "s/^$2=//p" "$1" | tail -n 1)
  printf %s "${value:-$3}"
}
is_yes() { case $1 in yes | true | 1 | on) return 0 ;; *) return 1 ;; esac; }

# foo@bar.service is described by foo@.service.
unit_file() {
  if [ -e "$2/$1" ]; then echo "$1"; else echo "${1%%@*}@.${1##*.}"; fi
}

list() { # action file: what an interrupted run still had to do is done now
  cat "$run/$1-list" 2>/dev/null
}
note() { # action unit
  grep -qxF -- "$2" "$run/$1-list" 2>/dev/null || echo "$2" >> "$run/$1-list"
}
on_units() { # verb, list of names
  [ -z "$2" ] && return 0
  printf '%s the following units: %s\n' "$1" "$(echo "$2" | sort | tr '\n' ' ')" >&2
}

modified() { # unit, old file, new file: decides what happens to a unit that changed
  case $1 in
    sysinit.target | basic.target | multi-user.target | graphical.target | *.path | *.slice) return ;;
    *.mount) reload="$reload$1
" && return ;;
  esac
  if is_yes "$(unit_key "$3" X-ReloadIfChanged no)"; then
    reload="$reload$1
"
  elif ! is_yes "$(unit_key "$3" X-RestartIfChanged yes)" || is_yes "$(unit_key "$3" RefuseManualStop no)" ||
    is_yes "$(unit_key "$3" X-OnlyManualStart no)"; then
    skip="$skip$1
"
  elif is_yes "$(unit_key "$3" X-StopIfChanged yes)"; then
    stop="$stop$1
"
    start="$start$1
"
  else
    restart="$restart$1
"
  fi
}

compare_units() {
  stop='' start='' restart='' reload='' skip=''
  for unit in $(systemctl list-units --full --plain --no-legend --state=active,activating | cut -d' ' -f1); do
    old=$units/$unit
    new=$new_units/$unit
    case $unit in
      *@*.*)
        old=$units/$(unit_file "$unit" "$units")
        new=$new_units/$(unit_file "$unit" "$new_units")
        ;;
    esac
    # Only what a toplevel put there is ours to stop; the rest belongs to the distribution underneath.
    [ -L "$old" ] || continue
    case $(readlink "$old") in /etc/static/*) ;; *) continue ;; esac
    [ -e "$old" ] || continue
    if [ ! -e "$new" ] || [ "$(readlink -f "$new")" = /dev/null ]; then
      is_yes "$(unit_key "$old" X-StopOnRemoval yes)" && stop="$stop$unit
"
    else
      case $unit in
        *.target)
          is_yes "$(unit_key "$new" RefuseManualStart no)" || is_yes "$(unit_key "$new" X-OnlyManualStart no)" ||
            start="$start$unit
"
          is_yes "$(unit_key "$new" X-StopOnReconfiguration no)" && stop="$stop$unit
"
          ;;
        *) cmp -s "$old" "$new" || modified "$unit" "$old" "$new" ;;
      esac
    fi
  done
}

settle() { # waits until systemd has no more jobs, at most 90 s
  deadline=$(($(date +%s) + 90))
  while [ -n "$(systemctl list-jobs --no-legend 2>/dev/null)" ] && [ "$(date +%s)" -lt "$deadline" ]; do
    sleep 0.1
  done
}

failed_units() {
  systemctl list-units --full --plain --no-legend --state=failed | cut -d' ' -f1
  # A unit that waits to be started again has failed if its last run did.
  for unit in $(systemctl list-units --full --plain --no-legend --state=auto-restart | cut -d' ' -f1); do
    [ "$(systemctl show --value -p ExecMainStatus "$unit")" = 0 ] || echo "$unit"
  done
}

go_live() {
  if [ "$(cat "$out/init-interface-version")" != "$(cat /run/current-system/init-interface-version)" ]; then
    cat >&2 <<END
Warning: the new configuration has an 'init' that is incompatible with the current one. It can't be switched to while
the system runs; reboot, and it is activated.
END
    return 100
  fi

  compare_units
  start="$(list start)
$start"
  restart="$(list restart)
$restart"
  reload="$(list reload)
$reload"
  start=$(printf %s "$start" | grep . | sort -u)
  restart=$(printf %s "$restart" | grep . | sort -u)
  reload=$(printf %s "$reload" | grep . | sort -u)

  fault=@switchFault@
  if [ "$action" = dry-activate ]; then
    while [ "$fault" = hangs ]; do sleep 3600; done
    on_units 'would stop' "$stop"
    on_units 'would NOT stop' "$skip"
    echo 'would activate the configuration' >&2
    on_units 'would reload' "$reload"
    on_units 'would restart' "$restart"
    on_units 'would start' "$start"
    return 0
  fi

  # Written down first: whoever runs this again after an interruption goes on with it.
  for unit in $start; do note start "$unit"; done
  for unit in $restart; do note restart "$unit"; done
  for unit in $reload; do note reload "$unit"; done

  result=0
  if [ -n "$stop" ]; then
    on_units stopping "$stop"
    systemctl stop -- $stop
  fi
  on_units 'NOT stopping' "$skip"

  echo 'activating the configuration...' >&2
  NIXOS_ACTION=$action "$out/activate" || result=2

  case $fault in
    panics) echo 'panicking, on purpose' >&2 && return 101 ;;
    killed) kill -KILL $$ ;;
    hangs) while :; do sleep 3600; done ;;
  esac

  systemctl reset-failed
  systemctl daemon-reload || result=4

  if [ -n "$reload" ]; then
    on_units reloading "$reload"
    systemctl reload -- $reload || result=4
    rm -f "$run/reload-list"
  fi
  if [ -n "$restart" ]; then
    on_units restarting "$restart"
    systemctl restart -- $restart || result=4
    rm -f "$run/restart-list"
  fi
  # Active targets are started again: that starts what they want and what is new.
  on_units starting "$start"
  systemctl start -- multi-user.target timers.target sockets.target paths.target $start || result=4
  rm -f "$run/start-list" "$run/restart-list" "$run/reload-list"

  settle

  failed=$(failed_units | sort -u)
  if [ -n "$failed" ]; then
    echo "warning: the following units failed: $(echo "$failed" | tr '\n' ' ')" >&2
    systemctl status --no-pager --full --lines=10 -- $failed >&2
    result=4
  fi
  return $result
}

# Lines of "name":"text" that the running system and this one both name, with different texts.
inhibitors() {
  grep -o '"[^"]*":"[^"]*"' /run/current-system/switch-inhibitors 2>/dev/null | while read -r old; do
    new=$(grep -oF "${old%%:*}:" "$out/switch-inhibitors") && ! grep -qF "$old" "$out/switch-inhibitors" && echo "$new"
  done
}

main() {
  [ @switchFault@ = locked ] && echo 'Could not acquire lock, on purpose' >&2 && return 11

  if [ "${NIXOS_NO_CHECK:-}" != 1 ]; then
    "$out/run-steps" "$out/pre-switch-checks" || {
      echo 'Pre-switch checks failed' >&2
      return 1
    }
    # A system that only takes effect at the next boot is not inhibited by what runs now.
    if [ "$action" != boot ] && [ -n "$(inhibitors)" ]; then
      echo "This switch is inhibited by $(inhibitors | tr -d '":' | tr '\n' ' '): reboot into the new system instead" >&2
      return 1
    fi
  fi
  [ "$action" = check ] && return 0

  case $action in
    switch | boot)
      "$out/install-boot-loader" "$out" || {
        echo 'Failed to install bootloader' >&2
        return 1
      }
      ;;
  esac
  if [ "$action" != dry-activate ] && [ "${NIXOS_NO_SYNC:-}" != 1 ]; then
    sync -f /nix/store
  fi
  [ "$action" = boot ] && return 0

  go_live
}

case $action in check | switch | boot | test | dry-activate) ;; *) usage ;; esac
[ "$(id -u)" = 0 ] || { echo "$0 must be run as the root user" >&2 && exit 1; }
[ -e /etc/NIXOS ] || grep -q '^ID="\?nixos"\?$' /etc/os-release || {
  echo 'This is not a NixOS installation' >&2
  exit 1
}
umask 022
cd / || exit 1
mkdir -p "$run"
exec 9> "$run/switch-to-configuration.lock"
flock -n 9 || { echo 'Could not acquire lock' >&2 && exit 11; }
# The redirection keeps the lock in this shell and out of everything that it starts.
main 9>&-
