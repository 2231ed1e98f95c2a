# --- what changes the system; the caller holds run.lock ----------------------------------------------------------------

bounded() { # like the command, but not longer than an activation may take
  find_sink
  timeout -k 10 "$((activation / 100 + 1))" "$@" < /dev/null >> "$sink" 2>&1 6>&-
}

# Where a program may say what it does, into $sink: one that finds the disk full when it has something to say may die of it,
# switch-to-configuration in the middle of the way back. Room is taken beforehand, where the file system can.
find_sink() {
  sink=$record/log
  fallocate --keep-size --offset "$(stat -c %s "$sink" 2> /dev/null || echo 0)" --length 262144 "$sink" && return
  head -c 262144 /dev/zero > "$record/room" || sink=/dev/null
  rm -f "$record/room"
} 2> /dev/null

# The exit status of a system's switch-to-configuration. While somebody else holds its lock (11) it is tried again, for as
# long as an activation may take: what was confirmed must not be undone, and what is undone must not stay half-way, for that.
switch_to() { # system action [variable=value]
  system=$1 act=$2
  shift 2
  uptime
  patient_until=$((now + activation))
  while :; do
    bounded env "$@" "$system/bin/switch-to-configuration" "$act"
    status=$?
    uptime
    [ $status = 11 ] && [ "$now" -lt $patient_until ] || return $status
    sleep 1
  done
}

# Back to what ran before. Its checks before a switch are left out: they may refuse because of what is to be undone.
return_to() { # system action
  printf 'returning to %s, without its checks before a switch\n' "$1" >> "$record/log"
  switch_to "$1" "$2" NIXOS_NO_CHECK=1
}

# It, or a specialisation of it.
is_current() { # system
  now_current=$(readlink -e /run/current-system)
  [ "$now_current" = "$1" ] || [ "$(parent_of "$now_current")" = "$1" ]
}
parent_of() (find_parent "$1" && printf %s "$parent")

# What is to run of the toplevel, into $running: the specialisation of the same name where one runs now. A test leaves no
# profile generation by which it could be recognised.
find_running() {
  running=$toplevel
  [ -n "$special" ] && [ "$mode" != test ] || return 0
  if [ -x "$toplevel/specialisation/$special/bin/switch-to-configuration" ]; then
    running=$(readlink -e "$toplevel/specialisation/$special")
  else
    printf 'the new system has no specialisation %s: it runs without\n' "$special" >> "$record/log"
  fi
}

untouched() { is_current "$previous" && ! find_missing; }

# Profile, then boot default. A new profile generation unless the profile is there already.
set_default() {
  journal default
  sync "$record/journal"
  [ "$(readlink -e "$profiles/system")" = "$toplevel" ] ||
    bounded nix-env --profile "$profiles/system" --set "$toplevel" || {
      status=1
      return 1
    }
  fault profile-set
  switch_to "$toplevel" boot
}

# Back to the recorded profile generation, or at least to its store path; durably.
restore_default() {
  set_back_default
  was_set_back=$?
  make_durable
  return $was_set_back
}
set_back_default() {
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
  return_to "$profile" boot && return
  # Somebody held the lock all the time: nothing is broken where that boots anyway.
  [ $status = 11 ] || return 1
  find_boot_default
  [ "$boot_default" = "$profile" ]
}

# To the recorded previous system, once; what it can't bring back is for people.
roll_back() { # key=value... of the reason
  decide rolling-back "$*"
  find_event rolling-back || journal rolling-back "$*"
  sync "$record/journal" "$record"
  fault rolling-back
  broken_default=''
  if find_event default; then restore_default || broken_default=' default=broken'; fi
  return_to "$previous" test
  status=$?
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
      roll_back "$(default_failed)"
      return
    }
  fi
  fault boot-set
  make_durable
  finish kind=succeeded
}

boot_only() { # why
  journal booting "$@"
  if set_default; then
    make_durable
    finish kind=awaiting-reboot
  else
    why=$(default_failed)
    if restore_default; then finish "kind=failed $why"; else finish "kind=stuck $why default=broken"; fi
  fi
}

# Somebody who held the lock all the time says nothing about the toplevel.
default_failed() {
  if [ "${status:-}" = 11 ]; then echo 'code=LOCK_HELD evidence=0 exit=11'; else echo 'code=BOOTLOADER_FAILED evidence=1'; fi
}

# Whoever is told of the end may count on it. Not every boot loader's installer does this for itself.
make_durable() {
  for place in "$profiles" /boot /boot/efi /efi; do
    # Hardly a machine has all of these.
    if [ -e "$place" ]; then sync -f "$place"; fi
  done
}

# The running system stays; profile and boot default follow it.
finalise_only() {
  is_current "$toplevel" || {
    finish kind=failed code=DRIFTED
    return
  }
  if set_default; then
    make_durable
    finish kind=succeeded
  else
    why=$(default_failed)
    if restore_default; then finish "kind=failed $why"; else finish "kind=stuck $why default=broken"; fi
  fi
}

