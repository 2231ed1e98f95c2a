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

# Does it count that this unit fails, or waits to be started again? By policy, and by what it was before the switch.
counts() { # unit
  # Our own: one that died is just being started again.
  case $1 in varve-activate-* | varve-watchdog-* | varve-reboot-*) return 1 ;; esac
  case $unit_failures in
    any) return 0 ;;
    ignore) return 1 ;;
  esac
  ! in_baseline "$1" 'failed:*' && ! in_baseline "$1" '*:auto-restart'
}

# Units that fail or wait to be started again, and count; comma-separated, into $broken.
# The lists are not kept with the record: a roll back must not fail because the disk is full.
find_broken() {
  broken=''
  list_units --state=failed,auto-restart > "$live/$id.failed.$$"
  while read -r name rest; do
    counts "$name" && broken="$broken,$name"
  done < "$live/$id.failed.$$"
  rm -f "$live/$id.failed.$$"
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
  list_units --state=active,reloading,activating > "$live/$id.active.$$"
  now_active=' '
  while read -r name rest; do now_active="$now_active$name "; done < "$live/$id.active.$$"
  rm -f "$live/$id.active.$$"
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
    # The watchdog has to outlive even what kills it: nobody else ends what nobody confirms.
    restart=no
    [ "$2" = watchdog ] && restart=on-failure
    systemd-run --quiet --collect --no-ask-password --unit="$1" --service-type=exec \
      --property=Restart=$restart --property=RestartSec=1 \
      --property=StartLimitIntervalSec=600 --property=StartLimitBurst=300 \
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

