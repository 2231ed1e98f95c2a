# sw/: what /run/current-system/sw/bin holds. nixpkgs would build these tools; here they are links to the ones of the
# distribution that the stand-in runs on, and the packages of the configuration are next to them.
{
  busybox,
  config,
  mkPackage,
}:
mkPackage {
  name = "system-path";
  env = {
    inherit (config) packages;
    tools = [
      "awk" "base64" "basename" "busctl" "cat" "chmod" "chown" "cmp" "comm" "cp" "cut" "date" "dd" "df" "dirname" "du"
      "echo" "env" "expr" "false" "find" "flock" "getent" "grep" "gzip" "head" "hostname" "id" "install" "ip"
      "journalctl" "kill" "ln" "loginctl" "ls" "mkdir" "mkfifo" "mktemp" "mount" "mountpoint" "mv" "nix" "nix-build"
      "nix-channel" "nix-collect-garbage" "nix-copy-closure" "nix-daemon" "nix-env" "nix-hash" "nix-instantiate"
      "nix-shell" "nix-store" "nproc" "nsenter" "od" "pgrep" "printf" "ps" "pwd" "readlink" "realpath" "rm" "rmdir"
      "sed" "seq" "setpriv" "setsid" "sh" "sha256sum" "sleep" "sort" "stat" "sync" "systemctl" "systemd-cat"
      "systemd-inhibit" "systemd-notify" "systemd-run" "tail" "tar" "tee" "test" "timeout" "touch" "tr" "true"
      "truncate" "umount" "uname" "uniq" "unshare" "wc" "xargs" "zstd"
    ];
    superuserTools = [
      "ip" "reboot" "poweroff" "runuser" "shutdown" "sysctl"
    ];
  };
  script = ''
    mkdir -p "$out/bin"
    for tool in $tools; do ln -s "/usr/bin/$tool" "$out/bin/$tool"; done
    for tool in $superuserTools; do ln -sf "/usr/sbin/$tool" "$out/bin/$tool"; done
    ln -s "$busybox" "$out/bin/busybox"
    for package in $packages; do
      for program in "$package"/bin/*; do ln -s "$program" "$out/bin/"; done
    done
  '';
}
