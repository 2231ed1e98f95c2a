#!/bin/sh
# The guard: brings this host to a toplevel and, unless somebody confirms it in time, back to what ran before.
#
#   sh guard start|acknowledge|reject|check|follow    data on stdin, `key=value` lines; answers on stdout
#   sh guard hook                                     a command before or after a reboot, likewise
#   sh guard run|watchdog|revive DEPLOYMENT           what `start` and probes set going
#
# Everything a deployment does is in /nix/var/varve/records/DEPLOYMENT: `data` (what was asked, what ran before), `journal`
# (`<uptime> <event> key=value...`, the last line is `end`), `log` (output of switch-to-configuration), `units` (before the
# switch), `decision`. `confirmed` or `rolling-back` is decided by who makes the link `decision`.
# Two locks: `lock` is held for moments, by whoever changes owner, token or records; `run.lock` by whoever changes the system.
#
# Uptimes are in hundredths of a second. Tools come from the system that ran before, by its store path: the new one is not
# trusted yet, and process 1 may have no PATH worth the name.
set -u
umask 022
LC_ALL=C
export LC_ALL

state=/nix/var/varve
records=$state/records
roots=/nix/var/nix/gcroots/varve
profiles=/nix/var/nix/profiles
# Of this boot: pipes that wake whoever waits for a record to change, and process ids.
live=/run/varve
guard=$0

# --- small tools ------------------------------------------------------------------------------------------------------

refuse() { # CODE key=value...
  printf 'refused %s\n' "$*"
  exit 0
}

# For tests: dies here if the file of that name exists, or stands still if it says so. Only root can make it.
fault() {
  [ -e "$state/faults/$1" ] || return 0
  fate=''
  read -r fate < "$state/faults/$1"
  rm -f "$state/faults/$1"
  if [ "$fate" = stop ]; then kill -STOP $$; else kill -KILL $$; fi
}

make_live() { [ -d "$live" ] || mkdir -p "$live"; }

uptime() { # into $now
  read -r now rest < /proc/uptime
  now=${now%.*}${now#*.}
}

is_id() {
  case $1 in d*[!0-9a-z]* | d | [!d]* | '') return 1 ;; esac
  [ ${#1} -le 41 ]
}
is_number() {
  case $1 in '' | *[!0-9]* | 0[0-9]*) return 1 ;; esac
  [ ${#1} -le 15 ]
}
is_store_path() {
  case $1 in /nix/store/*) ;; *) return 1 ;; esac
  case ${1#/nix/store/} in *[!0-9a-zA-Z+._?=-]* | .* | '') return 1 ;; esac
  [ ${#1} -le 300 ]
}
is_word() {
  case $1 in '' | *[!0-9a-zA-Z._:@\\-]*) return 1 ;; esac
  [ ${#1} -le 256 ]
}
is_text() {
  case $1 in *[[:cntrl:]]*) return 1 ;; esac
  [ ${#1} -le 2000 ]
}

# Everything that a caller may say. What is not listed, or does not look like it should, is refused.
read_request() {
  id='' toplevel='' owner='' epoch='' counter='' mode='' action='' activation='' confirm='' window='' code='' text=''
  settle=0 unit_failures=new unready='' seconds='' arguments='' drains=''
  while IFS= read -r line; do
    key=${line%%=*} value=${line#*=}
    case $key in
      deployment) is_id "$value" && id=$value ;;
      toplevel) is_store_path "$value" && toplevel=$value ;;
      owner) is_word "$value" && owner=$value ;;
      epoch) is_number "$value" && epoch=$value ;;
      counter) is_number "$value" && counter=$value ;;
      mode) case $value in switch | boot | test | dry-activate) mode=$value ;; *) false ;; esac ;;
      action) case $value in activate | finalise | reboot) action=$value ;; *) false ;; esac ;;
      activation) is_number "$value" && activation=$((value / 10)) ;;
      window) is_number "$value" && window=$((value / 10)) ;;
      confirm) is_number "$value" && confirm=$((value / 10)) ;;
      settle) is_number "$value" && settle=$((value / 10)) ;;
      units) case $value in new | any | ignore) unit_failures=$value ;; *) false ;; esac ;;
      unready) [ "$value" = 1 ] && unready=1 ;;
      drains) [ "$value" = 1 ] && drains=1 ;;
      code) case $value in CHECK_FAILED | UNITS_FAILED) code=$value ;; *) false ;; esac ;;
      seconds) is_number "$value" && seconds=$value ;;
      argument) is_text "$value" && arguments="$arguments$value
" ;;
      text) is_text "$value" && text=$value ;;
      *) false ;;
    esac || refuse INVALID_INPUT "key=$key"
  done
}

