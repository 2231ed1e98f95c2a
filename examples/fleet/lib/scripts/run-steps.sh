#!@shell@ sh
# Runs every step of a file of steps, each in a shell of its own; fails if one of them failed, after having run them all.
PATH=@path@
export PATH
failed=0

step() {
  @shell@ sh -eu -s || {
    echo "the step $1 failed with status $?" >&2
    failed=1
  }
}

. "$1"
exit "$failed"
