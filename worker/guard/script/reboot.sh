# --- a reboot: ordered in one boot, confirmed or undone in the next -----------------------------------------------------
#
# `toplevel` is the boot default already, `previous` is what the host was booted with. Where the boot loader can, the
# previous system becomes the default and the toplevel is started once: a host that hangs comes back as it was when
# somebody switches it off and on. There is one reboot forward at most, and one back.

# Read by systemd at the next boot, whatever system that is: nobody may get through to us then.
next_units=/etc/systemd/system.control

reboot_into() {
  booted=$(parent_of "$(readlink -e /run/booted-system)")
  find_boot_default
  if [ "$booted" = "$toplevel" ] && is_current "$toplevel"; then
    finish kind=succeeded
  elif ! has_systemd; then
    finish kind=failed code=REBOOT_FAILED evidence=0 systemd=0
  elif [ "$(readlink -e "$profiles/system")" != "$toplevel" ] || [ "${boot_default:-$toplevel}" != "$toplevel" ]; then
    finish kind=failed code=DRIFTED
  else
    order_forward
  fi
}

order_forward() {
  watch=1 fallback=once
  watch_next_boot || watch=0
  arm || fallback=none
  fault armed
  journal "rebooting fallback=$fallback watch=$watch"
  [ $fallback = none ] && echo 'this boot loader cannot start a system just once: should it hang, somebody has to choose the one before' >> "$record/log"
  [ $watch = 0 ] && echo 'nothing can be left for the next boot to do: should nobody get through to it, it stays as it is' >> "$record/log"
  sync "$record/journal" "$record/log" "$record"
  fault rebooting
  bounded systemctl reboot || give_up 'code=REBOOT_FAILED evidence=0 refused=1'
}

# The previous system as the default, the toplevel for once; or all as it was.
arm() {
  find_loader || return 1
  journal arming
  sync "$record/journal"
  find_running
  if return_to "$previous" boot; then
    find_boot_default
    [ "$boot_default" = "$previous" ] && set_once "$running" && make_durable && return 0
  fi
  make_default "$toplevel"
  return 1
}

# Profile and boot default, durably. A system that has a profile generation gets no second one.
make_default() { # system
  if [ "$(readlink -e "$profiles/system")" != "$1" ]; then
    find_generation "$1"
    if [ -n "$generation" ]; then
      bounded nix-env --profile "$profiles/system" --switch-generation "$generation" || return 1
    else
      bounded nix-env --profile "$profiles/system" --set "$1" || return 1
    fi
  fi
  find_boot_default
  [ "$boot_default" = "$1" ] || return_to "$1" boot || return 1
  clear_once
  make_durable
}

find_generation() { # system: its newest profile generation, into $generation
  generation=''
  for link in "$profiles"/system-*-link; do
    [ "$(readlink "$link")" = "$1" ] || continue
    number=${link##*/system-} number=${number%-link}
    is_number "$number" && [ "$number" -gt "${generation:-0}" ] && generation=$number
  done
}

watch_next_boot() {
  unit=varve-reboot-$id.service
  mkdir -p "$next_units/sysinit.target.wants" && printf '%s\n' \
    '[Unit]' 'Description=Varve: confirms or undoes a reboot' 'DefaultDependencies=no' 'IgnoreOnIsolate=yes' \
    'StartLimitIntervalSec=600' 'StartLimitBurst=300' \
    'After=local-fs.target' 'Conflicts=shutdown.target' 'Before=shutdown.target' \
    '[Service]' 'Type=exec' "ExecStart=/bin/sh $guard watchdog $id" 'KillMode=control-group' 'TimeoutStopSec=10' \
    'Restart=on-failure' 'RestartSec=1' \
    > "$next_units/$unit" && ln -sfn "../$unit" "$next_units/sysinit.target.wants/$unit" &&
    sync "$next_units/$unit" "$next_units/sysinit.target.wants" "$next_units"
} 2> /dev/null

unwatch() {
  rm -f "$next_units/varve-reboot-$id.service" "$next_units/sysinit.target.wants/varve-reboot-$id.service"
}

end_reboot() { # kind=... key=value...
  unwatch
  finish "$@"
}

# Still in the boot that was to end, and nothing of it is to happen any more.
give_up() { # key=value... of the reason
  decide rolling-back "$*"
  find_event given-up || journal given-up "$*"
  sync "$record/decision" "$record/journal" "$record"
  if make_default "$toplevel"; then end_reboot "kind=failed $*"; else end_reboot "kind=stuck default=broken $*"; fi
}

# The run is over, in the boot that is to end: it is on its way down, or was ended by somebody.
before_boot() {
  find_event given-up && {
    give_up "$said"
    return
  }
  find_event rebooting || {
    give_up code=UNCONFIRMED evidence=0 died=1
    return
  }
  deadline=$((at + window))
  while uptime && [ "$now" -lt "$deadline" ]; do sleep 1; done
  give_up code=REBOOT_FAILED evidence=0 down=0
}

# The first look in another boot. Which one is it?
after_boot() {
  booted=$(parent_of "$(readlink -e /run/booted-system)")
  of_boot=''
  find_event switched && field boot && of_boot=$value
  if find_event given-up; then
    # Whoever booted it since, it was not for this: what it boots is what it was to boot before.
    if make_default "$toplevel"; then end_reboot "kind=failed $said"; else end_reboot "kind=stuck default=broken $said"; fi
  elif find_event rolling-back; then
    if [ "$booted" != "$toplevel" ]; then
      # Its power may have failed before all of it was set back.
      if make_default "$previous"; then end_reboot "kind=rolled-back $said"; else end_reboot "kind=stuck default=broken $said"; fi
    elif [ "$of_boot" = "$boot_now" ]; then
      go_back "$said"
    else
      end_reboot "kind=stuck again=1 $said"
    fi
  elif [ "$booted" != "$toplevel" ]; then
    came_back
  elif [ -z "$of_boot" ] || [ "$of_boot" = "$boot_now" ]; then
    await_decision
  elif [ "$decision" = confirmed ]; then
    keep
  else
    go_back code=POWER_LOST evidence=0
  fi
}

# Another system than the one that was ordered. One that was ordered and never seen did not start.
came_back() {
  if [ -z "$of_boot" ] && ! find_event rebooting; then
    give_up code=POWER_LOST evidence=0
    return
  fi
  late='code=REBOOT_FAILED evidence=0'
  [ "$booted" = "$previous" ] && late='code=REBOOT_FAILED evidence=1'
  [ -n "$of_boot" ] && late='code=POWER_LOST evidence=0'
  decide rolling-back "$late"
  if make_default "$previous"; then end_reboot "kind=rolled-back $late"; else end_reboot "kind=stuck default=broken $late"; fi
}

# By the wall clock, since the uptime began anew. A clock that makes no sense, or a host that was off for long, gets all of
# the time again; and nobody gets less than a switch would.
find_left() { # into $left
  left=$(((until - $(date +%s)) * 100))
  if [ $left -le 0 ] || [ $left -gt "$window" ]; then left=$window; fi
  [ $left -ge "$confirm" ] || left=$confirm
}

await_decision() {
  if [ -z "$of_boot" ]; then
    find_left
    uptime
    deadline=$((now + left))
    journal "switched code=0 boot=$boot_now left=$left"
    sync "$record/journal"
    fault booted
  else
    find_event switched && field left
    deadline=$((at + value))
  fi
  until [ -e "$record/decision" ]; do
    uptime
    late='code=CONFIRM_TIMEOUT evidence=0 reboot=1'
    # Where nobody can decide (a full disk), it is time to go back all the same.
    if [ "$now" -ge "$deadline" ] && ! decide rolling-back "$late" && [ ! -e "$record/decision" ]; then
      go_back "$late"
      return
    fi
    sleep 0.2
  done
  decided
  if [ "$decision" = confirmed ]; then keep; else go_back "$why"; fi
}

keep() {
  find_event confirmed || journal confirmed
  sync "$record/decision" "$record/journal" "$record"
  fault confirmed
  if make_default "$toplevel"; then end_reboot kind=succeeded; else go_back "$(default_failed)"; fi
}

go_back() { # key=value... of the reason
  decide rolling-back "$*"
  find_event rolling-back || journal rolling-back "$*"
  sync "$record/journal" "$record"
  fault rolling-back
  make_default "$previous" || {
    end_reboot "kind=stuck default=broken $*"
    return
  }
  bounded systemctl reboot
  # Nobody is here any more once it is done.
  uptime
  deadline=$((now + activation))
  while uptime && [ "$now" -lt "$deadline" ]; do sleep 1; done
  end_reboot "kind=stuck down=0 $*"
}

# --- what callers ask for: what comes before and after a reboot ----------------------------------------------------------

# A command of the host's own. Before: not once the host knows the deployment, because then it has been done.
hook() {
  PATH=/run/current-system/sw/bin
  export PATH
  read_request
  [ -n "$id" ] && [ -n "$owner" ] || refuse INVALID_INPUT key=missing
  has=''
  [ -r "$state/owner" ] && read -r has < "$state/owner"
  [ "$has" = "$owner" ] || refuse OWNED_BY "owner=$has"
  [ "$action" = reboot ] && [ -d "$records/$id" ] && {
    printf 'known\n'
    exit 0
  }
  # Whoever asks says whether the drain is to begin: from then on the host must not be judged by how it is.
  if [ "$action" = reboot ]; then
    begun=''
    [ -r "$state/drain" ] && read -r begun < "$state/drain"
    if [ -n "$drains" ]; then
      printf '%s\n' "$id" > "$state/drain.new" && sync "$state/drain.new" && mv -f "$state/drain.new" "$state/drain" &&
        sync "$state" || refuse DISK_FULL
    elif [ "$begun" = "$id" ]; then
      printf 'draining\n'
      exit 0
    fi
  fi
  [ -z "$seconds" ] || run_hook
  printf 'healthy\n'
}

run_hook() { # each line of $arguments is one word
  set --
  while IFS= read -r word; do set -- "$@" "$word"; done <<END
${arguments%?}
END
  make_live
  timeout -k 5 "$seconds" "$@" < /dev/null > "$live/$id.output.$$" 2>&1
  status=$?
  [ $status = 0 ] || unhealthy "the command $1 ended with status $status: $(tail -c 500 "$live/$id.output.$$" | tr -c '[:print:]' ' ')"
}
