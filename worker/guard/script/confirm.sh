# --- what callers ask for: confirming ----------------------------------------------------------------------------------

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

# Restart counters of the services, `name=count` lines. A blank line comes between two of them, and none after the last.
count_restarts() {
  {
    systemctl show --property=Id --property=NRestarts '*.service'
    echo
  } | while IFS='=' read -r key value; do
    case $key in
      NRestarts) restarts=$value ;;
      Id) name=$value ;;
      '')
        [ "${restarts:-0}" = 0 ] || printf '%s=%s\n' "$name" "$restarts"
        restarts=0
        ;;
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
    [ -z "$waiting" ] && [ "$action" = reboot ] && is_starting && waiting='it is still starting'
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

is_starting() { # has not started all that belongs to a boot
  case $(systemctl is-system-running) in initializing | starting) return 0 ;; esac
  return 1
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
  PATH=/run/current-system/sw/bin:$PATH timeout -k 5 "$seconds" "$@" < /dev/null > "$live/$id.output.$$" 2>&1
  status=$?
  [ $status = 0 ] || unhealthy "the command $1 ended with status $status: $(tail -c 500 "$live/$id.output.$$" | tr -c '[:print:]' ' ')"
}

