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
  fi
  # Whoever decided may have died before it could say so.
  wake
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
  has_systemd || return 0
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

# Watches the units for the settle time: `healthy` or `unhealthy ...`
check() {
  read_request
  load "$id"
  has_systemd || settle=0
  uptime
  watched_until=$((now + settle))
  before=" $(count_restarts | tr '\n' ' ')"
  while :; do
    if find_broken; then unhealthy "$broken failed or restarting"; fi
    starting=''
    [ "$action" = reboot ] && is_starting && starting=1
    uptime
    left=$((watched_until - now))
    [ $left -gt 0 ] || [ -n "$starting" ] || break
    if [ $left -gt 0 ] && [ $left -lt 50 ]; then sleep "$(printf '0.%02d' $left)"; else sleep 0.5; fi
  done
  for pair in $(count_restarts); do
    name=${pair%=*}
    was=0
    case $before in *" $name="*) was=${before#*" $name="} was=${was%% *} ;; esac
    [ "${pair##*=}" -gt "$was" ] || continue
    counts "$name" && unhealthy "$name keeps restarting"
  done
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
