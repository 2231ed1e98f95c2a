# --- the watchdog -----------------------------------------------------------------------------------------------------

# Until when the present part may last, into $deadline, and what it means if it does not end, into $late.
find_deadline() {
  decided
  if find_event given-up; then
    # One step, which may first wait for somebody else's lock.
    deadline=$((at + 3 * activation + 2500)) late=$said
  elif find_event rolling-back; then
    # Three steps, each of which may first wait for somebody else's lock; and units that are started again.
    deadline=$((at + 6 * activation + 12000)) late=$said
  elif find_event default; then
    # Two steps, each bounded by itself; the second may first wait for somebody else's lock.
    deadline=$((at + 3 * activation + 2500)) late='code=BOOTLOADER_FAILED evidence=1'
  elif [ "$decision" = rolling-back ]; then
    # Whoever asked for it has woken the run, which is about to say so.
    find_event switched
    deadline=$((${at:-0} + confirm + 1000)) late=$why
  elif find_event confirmed; then
    deadline=$((at + activation)) late='code=BOOTLOADER_FAILED evidence=1'
  elif [ "$decision" = confirmed ]; then
    # Whoever acknowledged has woken the run, or died before it could.
    find_event switched
    deadline=$((${at:-0} + confirm + activation)) late='code=UNCONFIRMED evidence=0 died=1'
  elif find_event switched; then
    deadline=$((at + confirm)) late='code=CONFIRM_TIMEOUT evidence=0'
  elif [ "$action" = reboot ] && { find_event running || find_event started; }; then
    # Nothing of the new system has been started yet; setting the way back may first wait for somebody else's lock.
    deadline=$((at + 3 * activation + 2500)) late='code=REBOOT_FAILED evidence=0 down=0'
  elif find_event switching || find_event running || find_event started; then
    deadline=$((at + activation)) late='code=ACTIVATION_FAILED evidence=1 timeout=1'
  fi
}

watchdog() {
  load "$1"
  make_live
  exec 8>> "$state/run.lock"
  read -r boot_now < /proc/sys/kernel/random/boot_id
  if [ "$action" = reboot ] && [ "$boot" != "$boot_now" ]; then
    # Whoever has the lock is at it already. Uptimes of another boot are no deadlines.
    flock -n 8 && after_run 8>&-
    return
  fi
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
    # Somebody else may have decided just now. Where nobody can (a full disk), it is time to go back all the same.
    if [ -z "$decision" ] && ! decide rolling-back "$late" && [ -e "$record/decision" ]; then continue; fi
    # Ours to end, unless it was already on its way back: then it had its time too.
    # A reboot that has not begun is not gone back on: it is given up.
    case $mode:$action in
      dry-activate:* | *:reboot) ;;
      *) find_event rolling-back || journal rolling-back "$late" ;;
    esac
    stop_activation 8>&-
    flock -w 30 8 || {
      finish "kind=stuck lock=1 $late"
      return
    }
    find_event end || undo "$late" 8>&-
    return
  done
}

undo() { # key=value... of the reason
  if [ "$action" = reboot ]; then
    give_up "$*"
  elif [ "$mode" = dry-activate ]; then
    # It has changed nothing: an activation of what runs would only do harm.
    finish "kind=failed $*"
  else
    roll_back "$*"
  fi
}

# The run is over. Was it meant to be?
after_run() {
  find_event end && return
  decided
  read -r boot_now < /proc/sys/kernel/random/boot_id
  if [ "$boot" != "$boot_now" ]; then
    if [ "$action" = reboot ]; then after_boot; else after_reboot; fi
    return
  fi
  # Its shell is gone, but what it had started may be there still.
  stop_activation
  if [ "$action" = reboot ]; then
    before_boot
  elif find_event rolling-back; then
    roll_back "$said"
  elif [ "$decision" = confirmed ]; then
    finalise
  elif [ "$decision" = rolling-back ]; then
    undo "$why"
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
  booted=$(parent_of "$(readlink -e /run/booted-system)")
  find_event default && touched=1 || touched=''
  if [ -n "$touched" ] && [ "$booted" = "$toplevel" ]; then
    [ "$(readlink -e "$profiles/system")" = "$toplevel" ] ||
      bounded nix-env --profile "$profiles/system" --set "$toplevel"
    make_durable
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

