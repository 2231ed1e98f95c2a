# --- drift: in which way a host is not as it should be, and what it can tell of that --------------------------------------

# In which way the host is not as it should be, into $drift; since when, into $drift_at, and as which profile generation. What
# is under way, or what nobody has taken note of yet, is our own doing.
find_drift() {
  drift='' drift_at='' drift_generation=''
  [ -n "$runs$boots" ] && [ "$locked" = false ] || return
  for record in "$records"/*; do [ ! -d "$record" ] || return; done
  moved=''
  if [ -n "$boots" ] && [ "$profile" != "$boots" ]; then
    drift=profile moved=$profiles/system drift_generation=$generation
  elif [ -n "$runs" ] && [ "$current_parent" != "$runs" ]; then
    drift=switched moved=/run/current-system
    [ "$current" != "$booted" ] || drift=booted moved=/run/booted-system
    find_number "$current_parent"
    drift_generation=$number
  elif [ -n "$boots" ] && [ "${boot_default:-$boots}" != "$boots" ]; then
    drift=boot-default
  fi
  [ -n "$moved" ] || return
  find_changed "$moved"
  drift_at=$changed
}
# Seconds since the epoch, into $changed; with a fraction, where stat can tell it: whoever came before is told from who came after.
find_changed() { # file
  changed=$(stat -c %.3Y "$1" 2> /dev/null)
  case $changed in '' | *[!0-9.]*) changed=$(stat -c %Y "$1") ;; esac
}
find_number() { # system; the newest profile generation of it, into $number
  number=''
  for link in "$profiles"/system-*-link; do
    [ "$link" -ef "$1" ] || continue
    one=${link##*/system-} one=${one%-link}
    [ "$one" -le "${number:-0}" ] || number=$one
  done
}
# What the journal has of sudo, and of logins in the half day until then: who changes a system by hand is in one of them.
journal_until() { # whole seconds since the epoch
  timeout 10 journalctl --quiet --no-pager --reverse --lines=3000 --output=json \
    --output-fields=MESSAGE,SYSLOG_IDENTIFIER,_UID --since="@$(($1 - 43200))" --until="@$(($1 + 2))" \
    SYSLOG_IDENTIFIER=sudo SYSLOG_IDENTIFIER=sshd SYSLOG_IDENTIFIER=sshd-session 2> /dev/null |
    grep -E ' COMMAND=|Accepted |isconnect|onnection closed' | head -n 500
}
strings() { # lines on standard input: the inside of an array
  tr -c '[:print:]\200-\377\n' ' ' | cut -c 1-2000 | sed -e 's/[\\"]/\\&/g' -e 's/.*/"&"/' -e '$!s/$/,/'
}

# One key of the report. Looking for who did it takes a while, and is only done where there is something to look for.
print_drift() {
  if [ -z "$drift" ]; then
    printf '"drift":null,'
    return
  fi
  changed=''
  # Written before every switch of ours.
  [ ! -e "$state/units" ] || find_changed "$state/units"
  printf '"drift":{'
  string kind "$drift"
  string at "$drift_at"
  string generation "$drift_generation"
  string since "$changed"
  printf '"journal":['
  [ -z "$drift_at" ] || journal_until "${drift_at%.*}" | strings
  printf '],"users":['
  cut -d : -f 1,3 /etc/passwd | head -n 1000 | strings
  printf ']},'
}
