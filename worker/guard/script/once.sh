# --- boot loaders that can start a system once, and another one from then on --------------------------------------------

# Which one it is, into $loader; false: it cannot, or is none that we know.
find_loader() {
  loader=''
  if [ -r /boot/default ]; then
    grep -qx one-shot /boot/features 2> /dev/null && loader=plain
  elif has_command bootctl && ls /sys/firmware/efi/efivars/LoaderInfo-* > /dev/null 2>&1; then
    loader=systemd-boot
  elif has_command grub-reboot && grep -q next_entry /boot/grub/grub.cfg 2> /dev/null; then
    loader=grub
  fi
  [ -n "$loader" ]
}

has_command() { command -v "$1" > /dev/null 2>&1; }

# What the boot loader calls a system, into $title.
find_title() { # system
  title=''
  case $loader in
    plain) title=$1 ;;
    systemd-boot)
      for file in /boot/loader/entries/*.conf /efi/loader/entries/*.conf /boot/efi/loader/entries/*.conf; do
        [ -r "$file" ] && grep -qF "init=$1/init" "$file" && title=${file##*/} && break
      done
      ;;
    # Numbers of entries, that of the submenu first.
    grub) title=$(awk -v init="init=$1/init" "$find_grub_entry" /boot/grub/grub.cfg) ;;
  esac
  [ -n "$title" ]
}

# shellcheck disable=SC2016 # a program of awk
find_grub_entry='
  $1 == "submenu" { menu = top++; inner = 0; in_menu = 1; next }
  $1 == "menuentry" { at = in_menu ? menu ">" inner++ : top++; in_entry = 1; next }
  $1 == "}" { if (in_entry) in_entry = 0; else in_menu = 0; next }
  in_entry && index($0 " ", init " ") { print at; exit }'

set_once() { # system: the next boot only
  find_title "$1" || return 1
  case $loader in
    plain) printf '%s\n' "$title" > /boot/once.new && sync /boot/once.new && mv -f /boot/once.new /boot/once ;;
    systemd-boot) bounded bootctl set-oneshot "$title" ;;
    grub) bounded grub-reboot "$title" ;;
  esac
}

clear_once() {
  find_loader || return 0
  case $loader in
    plain) rm -f /boot/once ;;
    systemd-boot) bounded bootctl set-oneshot '' ;;
    grub) bounded grub-editenv /boot/grub/grubenv unset next_entry ;;
  esac
}
