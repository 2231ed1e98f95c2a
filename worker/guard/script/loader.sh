# --- boot loaders: what they start next, and what they can start once ---------------------------------------------------

# What boots next: a plain pointer, or the `init=` of the default entry of systemd-boot, GRUB or extlinux. Empty: unknown.
find_boot_default() {
  boot_default=''
  if [ -r /boot/default ]; then
    read -r boot_default < /boot/default
    return
  fi
  entry=''
  for esp in /boot /efi /boot/efi; do
    [ -r "$esp/loader/loader.conf" ] || continue
    name=$(sed -n 's/^default[[:space:]]*//p' "$esp/loader/loader.conf")
    # The entries may be on a partition of their own.
    for folder in "$esp" /boot; do
      [ -r "$folder/loader/entries/${name%.conf}.conf" ] && entry=$folder/loader/entries/${name%.conf}.conf && break 2
    done
  done
  if [ -n "$entry" ]; then :; elif [ -r /boot/grub/grub.cfg ]; then
    entry=/boot/grub/grub.cfg
  elif [ -r /boot/extlinux/extlinux.conf ]; then
    entry=/boot/extlinux/extlinux.conf
  fi
  [ -r "$entry" ] && boot_default=$(sed -n 's/.*init=\(\/nix\/store\/[^\/ ]*\)\/init.*/\1/p' "$entry" | sed -n 1p)
}
