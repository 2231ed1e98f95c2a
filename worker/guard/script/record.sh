# --- records ----------------------------------------------------------------------------------------------------------

load() { # DEPLOYMENT: its data, and the tools of the system that ran before
  is_id "$1" || refuse INVALID_INPUT key=deployment
  id=$1 record=$records/$1 special='' unit_failures=new
  [ -r "$record/data" ] || refuse NOT_FOUND "deployment=$id"
  while IFS= read -r line; do
    key=${line%%=*} value=${line#*=}
    case $key in
      toplevel) toplevel=$value ;;
      previous) previous=$value ;;
      profile) profile=$value ;;
      generation) generation=$value ;;
      mode) mode=$value ;;
      action) action=$value ;;
      activation) activation=$value ;;
      confirm) confirm=$value ;;
      boot) boot=$value ;;
      special) special=$value ;;
      window) window=$value ;;
      until) until=$value ;;
      units) unit_failures=$value ;;
    esac
  done < "$record/data"
  PATH=$previous/sw/bin
  export PATH
}

journal() { # event key=value...
  uptime
  printf '%s %s\n' "$now" "$*" >> "$record/journal"
  wake
}

# Opening a pipe for both reading and writing never blocks, whether or not somebody reads it.
wake() {
  for pipe in "$live/$id".*; do
    [ -p "$pipe" ] && printf '.\n' 1<> "$pipe"
  done
}

# The uptime and the rest of the last line with this event, into $at and $said.
find_event() {
  at='' said=''
  while read -r line_at line_event line_rest; do
    [ "$line_event" = "$1" ] && at=$line_at said=$line_rest
  done < "$record/journal"
  [ -n "$at" ]
}

field() { # name: its value in $said, into $value
  value=''
  for pair in $said; do
    case $pair in "$1="*) value=${pair#*=} ;; esac
  done
  [ -n "$value" ]
}

# Durable before anybody hears of it. The watchdog sees the end, and goes.
finish() { # kind=... key=value...
  uptime
  printf '%s end %s\n' "$now" "$*" >> "$record/journal"
  sync "$record/journal" "$record"
  wake
  rm -f "$live/$id.run" "$live/$id.pid"
}

# Exclusive: the first one wins, for ever.
decide() { # confirmed | rolling-back key=value...
  # What is linked already must not be written to again.
  [ -e "$record/decision" ] && return 1
  # On a full disk it is empty, which means to go back: only a confirmation has to be whole.
  { printf '%s\n' "$*" > "$record/decision.$$" && sync "$record/decision.$$"; } || [ "$1" = rolling-back ] || return 1
  ln "$record/decision.$$" "$record/decision" 2> /dev/null
}
decided() { # into $decision and $why
  decision='' why=''
  [ -e "$record/decision" ] || return 0
  read -r decision why < "$record/decision"
  [ -n "$decision" ] || decision=rolling-back why='code=UNCONFIRMED evidence=0'
}

