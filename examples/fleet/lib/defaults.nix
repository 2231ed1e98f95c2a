# What every system has: sshd and the network as units, a root user, and nix.conf.
{ text }:
{ config, ... }:
let
  inherit (config) sshd;
  sshdConfig = ''
    Port ${toString sshd.port}
    HostKey ${sshd.hostKey}
    AuthorizedKeysFile ${
      builtins.concatStringsSep " " ([ "/etc/ssh/authorized_keys.d/%u" ] ++ sshd.authorizedKeysFiles)
    }
    PermitRootLogin prohibit-password
    PasswordAuthentication no
    KbdInteractiveAuthentication no
    UsePAM no
    UseDNS no
    PrintMotd no
    MaxStartups 100
    MaxSessions 64
    SetEnv PATH=/run/current-system/sw/bin
    ${sshd.extraConfig}'';
  keys = builtins.filter (user: (config.users.${user}.authorizedKeys or [ ]) != [ ]) (
    builtins.attrNames config.users
  );
in
{
  users.root = {
    uid = 0;
    group = "root";
    home = "/root";
    shell = "/bin/sh";
    description = "System administrator";
  };
  groups.root.gid = 0;

  etc = {
    # How switch-to-configuration knows that it may touch this machine.
    "NIXOS".text = "";
    "nix/nix.conf".text = ''
      experimental-features = nix-command flakes
      substituters = ${builtins.concatStringsSep " " config.nix.substituters}
      trusted-public-keys = ${builtins.concatStringsSep " " config.nix.trustedPublicKeys}
      trusted-users = ${builtins.concatStringsSep " " ([ "root" ] ++ config.nix.trustedUsers)}
    '';
    "ssh/sshd_config".text = sshdConfig;
  }
  // builtins.listToAttrs (
    map (user: {
      name = "ssh/authorized_keys.d/${user}";
      value = {
        # A copy: sshd refuses keys below a folder that a group may write to, and the store is one.
        mode = "0444";
        text = text.lines config.users.${user}.authorizedKeys;
      };
    }) keys
  );

  units = {
    "network.service" = {
      wantedBy = [ "multi-user.target" ];
      text = ''
        [Unit]
        Description=The network
        X-StopIfChanged=no

        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/run/current-system/sw/bin/ip link set lo up
        ExecStart=/run/current-system/sw/bin/ip link set host0 ${if config.network.up then "up" else "down"}
      '';
    };
  }
  // (
    if sshd.enable then
      {
        "sshd.service" = {
          wantedBy = [ "multi-user.target" ];
          text = ''
            [Unit]
            Description=SSH daemon
            After=network.service
            StartLimitIntervalSec=0
            X-StopIfChanged=no
            X-Restart-Triggers=${builtins.hashString "sha256" sshdConfig}

            [Service]
            Type=notify
            ExecStart=/usr/sbin/sshd -D -f /etc/ssh/sshd_config
            # Sessions outlive a restart of the daemon.
            KillMode=process
            Restart=always
            RestartSec=1s
            RuntimeDirectory=sshd
            RuntimeDirectoryPreserve=yes
          '';
        };
      }
    else
      { }
  );
}
