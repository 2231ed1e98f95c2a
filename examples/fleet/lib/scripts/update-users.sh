#!@shell@ sh
# Makes /etc/passwd, /etc/shadow and /etc/group hold exactly the declared users and groups, and those that no toplevel ever
# declared. Numbers are remembered in /var/lib/nixos, so that a user that comes back still owns its files.
set -eu
PATH=@path@
export PATH
umask 022

declared=@out@/users
state=/var/lib/nixos
mkdir -p "$state"
touch "$state/uid-map" "$state/gid-map" "$state/managed-users" "$state/managed-groups" /etc/passwd /etc/shadow /etc/group

# The awk program's inputs, in order: what is declared, what an earlier toplevel declared, numbers, the present file.
number_and_merge='
  function free(  n) { for (n = 999; n in used; n--) ; used[n] = 1; return n }
  FNR == 1 { file++ }
  file == 1 { if ($1 == kind) { order[++count] = $2; want[$2] = $0 } ; next }
  file == 2 { old[$1] = 1; next }
  file == 3 { map[$1] = $2; used[$2] = 1; next }
  {
    if ($1 in want) { have[$1] = $3; used[$3] = 1 }
    else if (!($1 in old)) { keep[++kept] = $0; used[$3] = 1 }
  }
  END {
    # Root goes first: of several names for one number, the first one counts.
    for (i = 1; i <= count; i++) if (order[i] == "root") { order[i] = order[1]; order[1] = "root" }
    for (i = 1; i <= count; i++) {
      split(want[order[i]], f, ":")
      number = f[3] != "" ? f[3] : (f[2] in have) ? have[f[2]] : (f[2] in map) ? map[f[2]] : free()
      map[f[2]] = number
      if (kind == "group") print f[2] ":x:" number ":" f[4]
      else print f[2] ":x:" number ":" gid(f[4]) ":" f[5] ":" f[6] ":" f[7]
    }
    for (i = 1; i <= kept; i++) print keep[i]
    for (name in map) print name ":" map[name] > newmap
  }'
group_number='
  function gid(name,  line, parts) {
    while ((getline line < groups) > 0) { split(line, parts, ":"); ids[parts[1]] = parts[3] }
    close(groups)
    return (name in ids) ? ids[name] : 65534
  }'

# Every input begins with a line of its own, so that an empty one counts as a file too.
input() { { echo '#:#:#:#'; cat "$2"; } > "$work/$1"; }

work=$(mktemp -d "$state/.update.XXXXXX")
trap 'rm -rf "$work"' EXIT

input declared "$declared"
input old-groups "$state/managed-groups"
input gid-map "$state/gid-map"
input group /etc/group
awk -F: -v kind=group -v newmap="$work/new-gid-map" "function gid(name) { return name } $number_and_merge" \
  "$work/declared" "$work/old-groups" "$work/gid-map" "$work/group" | grep -v '^#' > "$work/new-group"

input old-users "$state/managed-users"
input uid-map "$state/uid-map"
input passwd /etc/passwd
awk -F: -v kind=user -v newmap="$work/new-uid-map" -v groups="$work/new-group" "$group_number $number_and_merge" \
  "$work/declared" "$work/old-users" "$work/uid-map" "$work/passwd" | grep -v '^#' > "$work/new-passwd"

# A password is state: kept while the user exists. A new user has none that fits, but is not locked: keys still open.
input passwd-now "$work/new-passwd"
awk -F: '
  FNR == 1 { file++ }
  file == 1 { if ($1 != "#") { order[++count] = $1; wanted[$1] = 1 } ; next }
  $1 in wanted { line[$1] = $0 }
  END { for (i = 1; i <= count; i++) print (order[i] in line) ? line[order[i]] : order[i] ":*:1::::::" }' \
  "$work/passwd-now" /etc/shadow > "$work/new-shadow"

grep -v '^#' "$work/new-gid-map" > "$state/gid-map.new" && mv -f "$state/gid-map.new" "$state/gid-map"
grep -v '^#' "$work/new-uid-map" > "$state/uid-map.new" && mv -f "$state/uid-map.new" "$state/uid-map"
awk -F: '$1 == "group" { print $2 }' "$declared" > "$work/names" && mv -f "$work/names" "$state/managed-groups"
awk -F: '$1 == "user" { print $2 }' "$declared" > "$work/names" && mv -f "$work/names" "$state/managed-users"

replace() { # file, mode, owner
  cmp -s "$work/new-${1##*/}" "$1" && return 0
  cp "$work/new-${1##*/}" "$1.new"
  chmod "$2" "$1.new"
  chown "$3" "$1.new"
  mv -fT "$1.new" "$1"
}
replace /etc/group 0644 0:0
replace /etc/passwd 0644 0:0
replace /etc/shadow 0640 0:42

awk -F: '$1 == "user" && $8 == "yes" { print $2, $6 }' "$declared" | while read -r user home; do
  [ -d "$home" ] && continue
  mkdir -p "$home"
  chmod 0700 "$home"
  chown "$user:" "$home"
done
