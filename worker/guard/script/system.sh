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

