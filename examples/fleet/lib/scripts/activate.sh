#!@shell@ sh
# Makes /etc, users, groups and /run/current-system what this toplevel says, and takes away what an earlier toplevel had put
# there and this one has not. /var/lib belongs to the services and is never touched.
PATH=@path@
export PATH
umask 022

# The shell has a find of its own, which can do less.
find=@path@/find

status=0
failed() {
  echo "activation: $1 failed" >&2
  status=1
}

state=/var/lib/nixos
mkdir -p "$state" /etc /run /tmp /var/empty /nix/var/nix/profiles
[ -e /tmp/. ] && chmod 1777 /tmp

link() { # target, name: atomically
  [ "$(readlink "$2")" = "$1" ] && return 0
  ln -sfn "$1" "$2.new" && mv -T "$2.new" "$2"
}

remove_empty_folders() { # upwards, until one is not empty or is /etc
  folder=$1
  while [ "$folder" != /etc ]; do
    rmdir "$folder" 2>/dev/null || return 0
    folder=${folder%/*}
  done
}

@out@/update-users || failed users

# /etc: all links go through /etc/static, so that all of them change at once.
old_static=$(readlink /etc/static)
link @out@/etc /etc/static || failed /etc/static

put_etc() {
  cd @out@/etc/. || return 1
  "$find" . \( -type f -o -type l \) -printf '%P\n' > "$state/etc-new" || return 1
  while read -r mode path; do echo "$path"; done < @out@/etc-copies > "$state/etc-copies-new"
  touch "$state/etc-copies"

  while read -r path; do
    name=/etc/$path
    folder=${name%/*}
    [ -d "$folder" ] || mkdir -p "$folder" || return 1
    if grep -qxF -- "$path" "$state/etc-copies-new"; then continue; fi
    link "/etc/static/$path" "$name" || return 1
  done < "$state/etc-new"

  while read -r mode path; do
    cp -f -- "@out@/etc/$path" "/etc/$path.new" && chmod "$mode" "/etc/$path.new" && mv -fT "/etc/$path.new" "/etc/$path" ||
      return 1
  done < @out@/etc-copies

  # Copies that an earlier toplevel made.
  while read -r path; do
    grep -qxF -- "$path" "$state/etc-copies-new" && continue
    grep -qxF -- "$path" "$state/etc-new" || rm -f -- "/etc/$path"
    remove_empty_folders "/etc/${path%/*}"
  done < "$state/etc-copies"
  mv -f "$state/etc-copies-new" "$state/etc-copies"

  # Links of an earlier toplevel now lead nowhere.
  "$find" /etc -xtype l -lname '/etc/static/*' | while read -r name; do
    rm -f -- "$name"
    remove_empty_folders "${name%/*}"
  done
  rm -f "$state/etc-new"
}
put_etc || failed /etc
cd / || exit 1

@out@/run-steps @out@/activation-steps || failed 'a step'

link @out@ /run/current-system || failed /run/current-system
exit "$status"
