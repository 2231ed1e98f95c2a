# --- which of all that is meant ----------------------------------------------------------------------------------------

verb=${1:-}
case $verb in
  start | acknowledge | reject | check | hook) "$verb" ;;
  follow)
    read_request
    load "$id"
    revive
    follow
    ;;
  run | watchdog) "$verb" "${2:-}" ;;
  revive)
    load "${2:-}"
    revive
    ;;
  *) refuse INVALID_INPUT key=verb ;;
esac
