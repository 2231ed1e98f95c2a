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
  run) run "${2:-}" ;;
  watchdog)
    watchdog "${2:-}"
    # Whatever the last thing was that it looked at: only what died is started again.
    exit 0
    ;;
  revive)
    load "${2:-}"
    revive
    ;;
  *) refuse INVALID_INPUT key=verb ;;
esac
