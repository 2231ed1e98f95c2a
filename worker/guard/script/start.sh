# --- what callers ask for: starting and following ----------------------------------------------------------------------

follow() { # prints the record, and every line that is added to it, until it ends
  make_live
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
      # Counted first: what is added meanwhile is shown the next time.
      lines=$(wc -l < "$record/log")
      # A last line that was not ended is not counted, and nothing comes after it any more.
      find_event end && lines=$((lines + 1))
      tail -n "+$((logged + 1))" "$record/log" | head -n $((lines - logged)) | tail -c 32768 | sed 's/^/log /'
      logged=$lines
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
  # Logs in the records may hold what units print: for root only.
  [ -d "$records" ] || mkdir -p -m 700 "$records"
  [ -d "$roots" ] || mkdir -p "$roots"
  make_live
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

# A host that runs the toplevel already, on another's kernel, comes back as what it was booted with.
plan_reboot() {
  [ -n "$window" ] || refuse INVALID_INPUT key=window
  until=$(($(date +%s) + window / 100))
  # Whatever part of it runs, the whole of it boots.
  previous=$parent
  [ "$previous" = "$toplevel" ] || return 0
  booted=$(parent_of "$(readlink -e /run/booted-system)")
  is_store_path "$booted" && [ -x "$booted/bin/switch-to-configuration" ] && previous=$booted
}

# A check that comes before it said no. What another worker may still be about to send must not start it after all.
decline() {
  printf '%s %s\n' "$epoch" "$counter" > "$state/token.new" && sync "$state/token.new" || refuse DISK_FULL
  mv -f "$state/token.new" "$state/token"
  sync "$state"
  refuse NOT_READY
}

# It was not started, or so it seems: who runs all the same must hear of it, and only where nobody does it has ended.
call_off() {
  decide rolling-back code=INTERNAL evidence=0 service=0
  wake
  exec 8>> "$state/run.lock"
  flock -w 5 8 && ! find_event end && finish kind=failed code=INTERNAL service=0
  exec 8>&-
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
  [ -z "$unready" ] || decline
  [ -e "$toplevel" ] || refuse PUSH_FAILED
  [ -x "$toplevel/bin/switch-to-configuration" ] || refuse ACTIVATION_REFUSED missing=bin/switch-to-configuration
  [ -e "$toplevel/nixos-version" ] || refuse ACTIVATION_REFUSED missing=nixos-version
  profile=$(readlink -e "$profiles/system") || profile=$previous
  generation=$(readlink "$profiles/system")
  generation=${generation#system-} generation=${generation%-link}
  read -r boot < /proc/sys/kernel/random/boot_id
  find_parent "$previous"
  is_word "$special" || special=''
  until=''
  [ "$action" = reboot ] && plan_reboot

  record=$records/.$id
  rm -rf "$record"
  mkdir -p "$record" "$roots/$id"
  ln -sf "$toplevel" "$previous" "$guard" "$roots/$id/" 2> /dev/null
  # Stays when the record goes: the next activation of a closure that is here needs nothing to be pushed.
  ln -sfn "$guard" "$roots/guard"
  uptime
  # The token first: what is left of a start that dies in between is a fence. A full disk is found here, before anything.
  {
    printf 'deployment=%s\ntoplevel=%s\nprevious=%s\nprofile=%s\n' "$id" "$toplevel" "$previous" "$profile" &&
      printf 'generation=%s\nmode=%s\naction=%s\nactivation=%s\nunits=%s\n' \
        "$generation" "$mode" "$action" "$activation" "$unit_failures" &&
      printf 'window=%s\nuntil=%s\nspecial=%s\n' "$window" "$until" "$special" &&
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
  service "varve-activate-$id" run || call_off
  fault spawned
}

