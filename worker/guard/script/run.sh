# --- one activation, from its start to its end -------------------------------------------------------------------------

# Names in both systems' switch-inhibitors (a flat JSON object) whose values differ: only a reboot gets past them.
find_inhibitor() {
  inhibitor=''
  [ -e "$previous/switch-inhibitors" ] && [ -e "$running/switch-inhibitors" ] || return 1
  cmp -s "$previous/switch-inhibitors" "$running/switch-inhibitors" && return 1
  for system in "$previous" "$running"; do
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
  find_running
  if find_inhibitor; then
    printf 'the running system and the new one differ in %s, which only a reboot replaces\n' "$inhibitor" >> "$record/log"
    if [ "$mode" = switch ]; then boot_only inhibitor=1; else finish kind=failed code=ACTIVATION_REFUSED reboot=1; fi
    return
  fi
  journal switching
  fault before-switch
  find_sink
  "$running/bin/switch-to-configuration" test < /dev/null >> "$sink" 2>&1 6>&-
  status=$?
  fault after-switch
  case $status in
    0) ;;
    4)
      # It stands above the 2 of an activation script that failed, in whose place it is given.
      if grep -Eq "^Failed to run activate script|^Activation script snippet '.*' failed" "$record/log"; then
        roll_back 'code=ACTIVATION_FAILED evidence=1 exit=4'
        return
      fi
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
  case $status in
    0) finish kind=succeeded ;;
    11) finish kind=failed code=LOCK_HELD exit=11 ;;
    *) finish "kind=failed code=ACTIVATION_REFUSED exit=$status" ;;
  esac
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
    reboot:*) reboot_into ;;
    *:dry-activate) dry_activate ;;
    *:boot) boot_only ;;
    *) switch_live ;;
  esac
}

