# Every option and its default.
{
  # The files below /etc: path -> { text, mode ? null }. With a mode the file is copied, else it is a link.
  etc = { };
  # systemd units: name -> { text, wantedBy ? [ ] }.
  units = { };
  # name -> { uid, group, home, shell, description, authorizedKeys, createHome }, all optional.
  users = { };
  # name -> { gid, members }, both optional.
  groups = { };
  # Packages whose bin/ is linked into /run/current-system/sw/bin.
  packages = [ ];
  # Shell text that activation runs, and that must succeed before a switch does anything: name -> text.
  activation = { };
  preSwitchChecks = { };

  sshd = {
    enable = true;
    port = 22;
    hostKey = "/etc/ssh/ssh_host_ed25519_key";
    authorizedKeysFiles = [ ];
    extraConfig = "";
  };

  # Who may bring store paths that nobody signed.
  nix.trustedUsers = [ ];
  # Caches that store paths may be fetched from, and the keys that must have signed them.
  nix.substituters = [ ];
  nix.trustedPublicKeys = [ ];

  network.up = true;

  # Variants of the system that are part of it: name -> module.
  specialisation = { };

  system = {
    version = "24.05.example";
    label = "";
    kernel = "6.6.1";
    systemd = "252";
    kernelParams = [ "quiet" ];
    # Another value means that the running init can't be brought to the new system: a reboot is needed (exit status 100).
    initInterfaceVersion = "systemd 1";
    # name -> text: where the running and the new system both have the name with different texts, a switch is refused.
    switchInhibitors = { };
    bootLoaderFails = false;
  };

  # Ways to be broken, for tests and for trying things out: see faults.nix.
  faults = {
    # null | 1 | 2 | 4 | 11 | 100 | 101 | "killed" | "hangs"
    switch = null;
    # null | "stopped" | "misconfigured"
    sshd = null;
    # null | seconds for which sshd is away after the switch
    sshdBounce = null;
    # The network goes down with the switch.
    network = false;
    # null | "fails" | "loops" (dies every second and is started again) | "fails-later" (after three seconds)
    unit = null;
    # The toplevel can't be built.
    build = false;
  };
}
