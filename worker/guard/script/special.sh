# --- specialisations: a system that is part of another one ---------------------------------------------------------------

# The system that one belongs to, into $parent, and its name there, into $special; itself, and none, for every other.
find_parent() { # system
  parent=$1 special=''
  [ -n "$1" ] && ! [ "$1" -ef "$profiles/system" ] || return 0
  for known in "$profiles"/system "$profiles"/system-*-link; do
    for one in "$known"/specialisation/*; do
      [ "$one" -ef "$1" ] || continue
      parent=$(readlink -e "$known") special=${one##*/}
      return
    done
  done
}
